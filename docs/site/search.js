// The theme finds every word that begins with a word of the query: "upload a picture" would find every "a…".
addEventListener("message", ({ data: message }) => {
  if (message.type !== 2) return;
  const words = message.data.split(/\s+/).filter((word) => lunr.stopWordFilter(word.toLowerCase()));
  message.data = words.join(" ") || message.data;
});
