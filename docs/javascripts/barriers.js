// Makes wide tables and drawings scroll by the keyboard, and keeps copy buttons out of the list of landmarks.
const mend = () => {
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap, .language-text pre")) {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
    else wide.removeAttribute("tabindex");
  }
  for (const buttons of document.querySelectorAll(".md-code__nav:not([role])")) buttons.setAttribute("role", "none");
};
new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
addEventListener("resize", mend);
mend();
