"""`socialsyncer campaign` as a person at a terminal, and as a script, uses it."""

import json
from pathlib import Path

from tests.cli.client.conftest import Terminal
from tests.stack import Stack


def write_rows(file: Path, stack: Stack, *texts: str) -> None:
    target = f"twitter:{stack.accounts['twitter'].id}"
    rows = [f"{file.stem}-{row},{text},{target},2030-11-2{row}T09:00" for row, text in enumerate(texts)]
    file.write_text("\n".join(["externalId,content,platforms,scheduledFor", *rows, ""]))


async def test_a_file_becomes_a_campaign_once(terminal: Terminal, stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "terminal.csv"
    write_rows(file, stack, "first of the terminal", "second of the terminal")
    command = ("campaign", "import", str(file), "--timezone", "Europe/Berlin")
    new = (*command, "--new", "Terminal campaign")
    preview = await terminal.run(*new, "--dry-run")
    assert (preview.exit_code, preview.output) == (0, "Would be done, of 2 rows: 2 created.\n")
    unasked = await terminal.run(*new)
    assert (unasked.exit_code, "Nothing was imported. Add --yes" in unasked.output) == (1, True), unasked.output
    done = await terminal.run(*new, "--yes")
    assert (done.exit_code, done.stdout) == (0, "Done, of 2 rows: 2 created.\n"), done.output
    taken = await terminal.run(*new, "--yes")
    assert (taken.exit_code, "A campaign of this name exists" in taken.output) == (1, True)
    campaign_id = taken.output.split()[-1].rstrip(".")
    known = (*command, "--campaign", campaign_id, "--yes")
    repeated = await terminal.run(*known)
    assert (repeated.exit_code, "was imported before" in repeated.stderr) == (0, True), repeated.output
    again = await terminal.run(*known, "--idempotency-key", "terminal-again")
    assert again.stdout == "Done, of 2 rows: 2 unchanged.\n", again.output
    write_rows(file, stack, "first of the terminal", "second corrected")
    refused = await terminal.run(*known)
    assert (refused.exit_code, "row 3" in refused.output) == (1, True), refused.output
    assert "(external_id_taken)" in refused.output
    corrected = await terminal.run(*known, "--on-existing", "update", "--json")
    assert (json.loads(corrected.output)["updated"], corrected.exit_code) == (1, 0), corrected.output


async def test_a_campaign_is_paused_moved_and_resumed(terminal: Terminal, stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "steered.csv"
    write_rows(file, stack, "first to steer", "second to steer")
    imported = await terminal.run("campaign", "import", str(file), "--new", "Steered campaign", "--yes")
    campaign_id = next(word.rstrip(".") for word in imported.stderr.split() if word.startswith("cmp_"))
    paused = await terminal.run("campaign", "pause", campaign_id, "--reason", "prices")
    assert (paused.exit_code, paused.output.startswith("Paus")) == (0, True), paused.output
    shift = ("campaign", "shift", campaign_id, "--by", "-P1D", "--from", "2030-11-21")
    preview = await terminal.run(*shift, "--dry-run")
    assert (preview.exit_code, preview.output) == (0, "Would be done: 1 posts move.\n")
    unasked = await terminal.run(*shift)
    assert (unasked.exit_code, "Nothing was changed. Add --yes" in unasked.output) == (1, True), unasked.output
    moved = await terminal.run(*shift, "--yes")
    assert (moved.exit_code, moved.output) == (0, "Done: 1 posts move.\n")
    resumed = await terminal.run("campaign", "resume", campaign_id, "--yes")
    assert (resumed.exit_code, "0 continue, 0 are skipped" in resumed.output) == (0, True), resumed.output
    listed = await terminal.run("campaign", "list", "--status", "active")
    row = next(line for line in listed.output.splitlines() if campaign_id in line)
    assert row.split()[1:6] == ["Steered", "campaign", "active", "2", "scheduled"], listed.output
    unknown = await terminal.run("campaign", "pause", "cmp_none")
    assert (unknown.exit_code, "Error: " in unknown.output) == (1, True)


async def test_a_wrong_file_is_refused_before_anything_is_created(terminal: Terminal, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("externalId,content,platforms,scheduledFor\na-1,text,twitter:nowhere,2030-11-28T09:00\n")
    cases = {
        ("week.csv", "--new", "x"): "week.csv cannot be read",
        (str(wrong),): "--campaign CMP_ID, or create one by --new NAME",
        (str(wrong), "--new", "Wrong campaign", "--yes"): "row 2, twitter/nowhere",
        ("week.xls", "--new", "x"): "must end in .csv",
    }
    for arguments, sentence in cases.items():
        refused = await terminal.run("campaign", "import", *arguments)
        assert (refused.exit_code, sentence in refused.output) == (1, True), (arguments, refused.output)
    assert "Wrong campaign" not in (await terminal.run("campaign", "list")).output
