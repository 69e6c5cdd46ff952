// The reviewer's desk: files as they would leave, read in the browser, because the control plane opens no data.
// A file is asked for when it is opened, not before: every opening stands in the audit log.
// Cells become text nodes and nothing else. No words stand here: they come with the page, in its language.

const ROWS = 50; // on a page of a table
const LINES = 400; // on a page of text
const UNSEEN = /(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const NUMBER = /^[+-]?(\d[\d,]*)?(\.\d+)?([eE][+-]?\d+)?%?$/;

/** Text with everything that is not seen (control, bidi, zero-width) spelled out. */
function visible(text) {
  return text.replace(UNSEEN, (one) => {
    const code = one.codePointAt(0);
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

function element(name, text = "", css = "") {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (css) made.className = css;
  return made;
}

/** Where each record of an RFC 4180 text begins: a break within quotes ends none. */
export function records(text) {
  const starts = [];
  let quoted = false;
  let begun = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) quoted = !quoted;
    else if (!quoted && (code === 10 || code === 13)) {
      if (code === 13 && text.charCodeAt(at + 1) === 10) at++;
      starts.push(begun);
      begun = at + 1;
    }
  }
  if (begun < text.length) starts.push(begun);
  return starts;
}

/** The cells of one record. */
export function cells(record, separator) {
  const found = [];
  let at = 0;
  for (;;) {
    let cell = "";
    if (record[at] === '"') {
      at++;
      for (; at < record.length; at++) {
        if (record[at] !== '"') cell += record[at];
        else if (record[at + 1] === '"') cell += record[at++];
        else break;
      }
      at++;
    }
    const end = record.indexOf(separator, at);
    cell += record.slice(at, end < 0 ? undefined : end);
    found.push(cell);
    if (end < 0) return found;
    at = end + 1;
  }
}

/** A sentence of the page with its {names} filled in. */
function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function pressed(label, css) {
  const button = element("button", label, css);
  button.type = "button";
  return button;
}

/** Buttons and a line that says where one is; `show(from)` puts the part that begins there. `of(count)` begins
    anew with so many. */
function paged(file, count, size, show) {
  const bar = element("div", "", "under");
  const place = element("span", "", "soft");
  place.setAttribute("role", "status");
  const [back, on] = [file.dataset.prev, file.dataset.next].map((label) => pressed(label, "button quiet small"));
  let from = 0;
  let all = count;
  function turn(to) {
    from = to;
    show(from);
    place.textContent = filled(file.dataset.rows, { from: all ? from + 1 : 0, to: Math.min(from + size, all), n: all });
    back.disabled = from === 0;
    on.disabled = from + size >= all;
  }
  back.addEventListener("click", () => turn(Math.max(0, from - size)));
  on.addEventListener("click", () => turn(from + size));
  const buttons = element("span", "", "row");
  buttons.append(back, on);
  bar.append(place, buttons);
  turn(0);
  return {
    bar,
    of(number) {
      all = number;
      turn(0);
    },
  };
}

/** A text as a table: names, how many rows, and each row's cells when they are asked for. */
function tableOf(text, separator) {
  const starts = records(text);
  const record = (n) => cells(text.slice(starts[n], starts[n + 1]).replace(/\r?\n$|\r$/, ""), separator);
  return { names: starts.length ? record(0) : [], count: Math.max(0, starts.length - 1), row: (n) => record(n + 1) };
}

/** Numbers of equal texts, to pair each with one of its like. */
function counted(texts) {
  const found = new Map();
  texts.forEach((one, n) => {
    if (!found.has(one)) found.set(one, []);
    found.get(one).push(n);
  });
  return found;
}

/** Pairs equal texts of two lists, each with one other: what is left of both, by number. */
function paired(before, after) {
  const there = counted(before);
  const added = [];
  after.forEach((one, n) => {
    if (!there.get(one)?.length) added.push(n);
    else there.get(one).shift();
  });
  return { added, gone: [...there.values()].flat().sort((a, b) => a - b) };
}

/** What became of a table since an earlier one. Rows are the same row where their labels are (the columns that
    hold no numbers), if labels tell all rows apart; otherwise only whole rows are paired. */
export function compared(before, after) {
  const rows = (one) => Array.from({ length: one.count }, (_, n) => one.row(n));
  const [old, now] = [rows(before), rows(after)];
  const shared = after.names.filter((name) => before.names.includes(name));
  const columns = shared.map((name) => [before.names.indexOf(name), after.names.indexOf(name)]);
  const labels = columns.filter(([, at]) => !now.every((row) => !row[at] || NUMBER.test(row[at])));
  const key = (row, side) => JSON.stringify(labels.map((pair) => row[pair[side]]));
  const places = new Map(old.map((row, n) => [key(row, 0), n]));
  const keys = new Set(now.map((row) => key(row, 1)));
  const apart = labels.length && places.size === old.length && keys.size === now.length;
  const was = new Map();
  let [added, gone] = [[], []];
  if (apart) {
    const met = new Set();
    now.forEach((row, n) => {
      const at = places.get(key(row, 1));
      if (at === undefined) {
        added.push(n);
        return;
      }
      met.add(at);
      const differs = columns.filter(([from, to]) => old[at][from] !== row[to]);
      if (differs.length) was.set(n, new Map(differs.map(([from, to]) => [to, old[at][from]])));
    });
    gone = old.map((_, n) => n).filter((n) => !met.has(n));
  } else {
    const whole = (row, side) => JSON.stringify(columns.map((pair) => row[pair[side]]));
    ({ added, gone } = paired(old.map((row) => whole(row, 0)), now.map((row) => whole(row, 1))));
  }
  return {
    was,
    added: new Set(added),
    gone: gone.map((n) => old[n]),
    names: [
      ...after.names.filter((name) => !before.names.includes(name)).map((name) => `+ ${name}`),
      ...before.names.filter((name) => !after.names.includes(name)).map((name) => `− ${name}`),
    ],
    same: now.length - was.size - added.length,
    cells: [...was.values()].reduce((sum, one) => sum + one.size, 0),
  };
}

/** The button that lays the last release beside a file; `lay(text)` shows it and gives the numbers to say. */
function beside(file, lay) {
  const line = element("div", "", "beside");
  if (!file.dataset.earlier) return line;
  const button = pressed(file.dataset.compare, "button small");
  line.append(button);
  button.addEventListener("click", async () => {
    button.disabled = true;
    const say = element("span", "", "soft");
    say.setAttribute("role", "status");
    line.append(say);
    try {
      const answer = await fetch(file.dataset.earlier, { cache: "no-store", redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      if (answer.status === 204) {
        say.textContent = file.dataset.none;
        return;
      }
      const told = lay(new TextDecoder("utf-8", { ignoreBOM: true }).decode(await answer.arrayBuffer()), line);
      say.textContent = filled(file.dataset.beside, { ...told, release: answer.headers.get("sandbox-release") ?? "" });
      if (told.names?.length) {
        line.append(element("span", filled(file.dataset.columns, { names: visible(told.names.join(", ")) }), "soft"));
      }
    } catch {
      say.textContent = file.dataset.failed;
      button.disabled = false;
    }
  });
  return line;
}

/** A box that leaves only what differs. */
function onlyBox(file, change) {
  const label = element("label", "", "check");
  const box = element("input");
  box.type = "checkbox";
  box.addEventListener("change", () => change(box.checked));
  label.append(box, file.dataset.only);
  return label;
}

/** The rows that are no longer there, folded. */
function goneRows(file, names, rows) {
  const folded = element("details", "", "gone-rows");
  folded.append(element("summary", file.dataset.gone));
  const box = element("div", "", "box");
  box.tabIndex = 0;
  const table = element("table");
  const head = element("tr");
  for (const name of names) {
    const cell = element("th", visible(name));
    cell.scope = "col";
    head.append(cell);
  }
  table.append(element("thead"), element("tbody"));
  table.tHead.append(head);
  for (const row of rows.slice(0, LINES)) {
    const line = element("tr");
    line.append(...row.map((cell) => element("td", visible(cell))));
    table.tBodies[0].append(line);
  }
  box.append(table);
  folded.append(box);
  return folded;
}

function asTable(file, place, text) {
  const separator = file.dataset.path.endsWith(".tsv") ? "\t" : ",";
  const here = tableOf(text, separator);
  const replaced = new Set(JSON.parse(file.dataset.places || "[]").map(([row, column]) => `${row},${column}`));
  let found = null; // what became of it since the last release
  let only = null; // the rows that are left when only differences are asked for
  const table = element("table");
  const [head, body] = [element("thead"), element("tbody")];
  const names = element("tr");
  const first = here.count ? here.row(0) : [];
  for (const [n, name] of here.names.entries()) {
    const cell = element("th", visible(name), first[n] && NUMBER.test(first[n]) ? "number" : "");
    cell.scope = "col";
    names.append(cell);
  }
  head.append(names);
  table.append(head, body);
  function lineOf(n) {
    const line = element("tr", "", found?.added.has(n) ? "added" : "");
    for (const [column, text] of here.row(n).entries()) {
      const cell = element("td", visible(text), NUMBER.test(text) ? "number" : "");
      const before = found?.was.get(n);
      if (before?.has(column)) {
        cell.classList.add("changed");
        cell.append(element("del", visible(before.get(column)) || "—"));
      }
      if (replaced.has(`${n + 1},${column + 1}`)) {
        cell.classList.add("replaced");
        cell.title = file.dataset.replaced;
      }
      line.append(cell);
    }
    return line;
  }
  const pages = paged(file, here.count, ROWS, (from) => {
    const lines = [];
    const all = only ? only.length : here.count;
    for (let at = from; at < Math.min(from + ROWS, all); at++) lines.push(lineOf(only ? only[at] : at));
    body.replaceChildren(...lines);
    place.scrollTop = 0;
  });
  place.append(table);
  place.after(pages.bar);
  pages.bar.after(beside(file, (earlier, line) => {
    const old = tableOf(earlier, separator);
    found = compared(old, here);
    const differing = [...new Set([...found.was.keys(), ...found.added])].sort((a, b) => a - b);
    const show = (checked) => {
      only = checked ? differing : null;
      pages.of(only ? only.length : here.count);
    };
    if (differing.length) line.append(onlyBox(file, show));
    if (found.gone.length) line.after(goneRows(file, old.names, found.gone));
    show(false);
    return { ...found, changed: found.was.size, added: found.added.size, gone: found.gone.length };
  }));
}

function linesOf(text) {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function asText(file, place, text) {
  const lines = linesOf(text);
  const block = element("pre");
  let added = null;
  const pages = paged(file, lines.length, LINES, (from) => {
    const shown = lines.slice(from, from + LINES);
    if (added) {
      const css = (n) => (added.has(from + n) ? "line added" : "line");
      block.replaceChildren(...shown.map((line, n) => element("span", visible(line) || " ", css(n))));
    } else block.textContent = shown.map((line) => visible(line)).join("\n");
    place.scrollTop = 0;
  });
  place.append(block);
  if (lines.length > LINES) place.after(pages.bar);
  const line = beside(file, (earlier) => {
    const old = linesOf(earlier);
    const found = paired(old, lines);
    added = new Set(found.added);
    pages.of(lines.length);
    block.append(...found.gone.slice(0, LINES).map((n) => element("span", visible(old[n]) || " ", "line gone")));
    return { same: lines.length - added.size, changed: 0, cells: 0, added: added.size, gone: found.gone.length };
  });
  (pages.bar.isConnected ? pages.bar : place).after(line);
}

function asPicture(file, place) {
  const picture = element("img");
  picture.alt = file.dataset.path;
  picture.addEventListener("error", () => place.replaceChildren(element("p", file.dataset.failed, "wrong")));
  picture.src = file.dataset.file;
  place.append(picture);
}

const SHOWN = { table: asTable, text: asText };

async function opened(file) {
  if (!file.open || file.dataset.read) return;
  file.dataset.read = "yes";
  const place = file.querySelector(".shown");
  if (file.dataset.kind === "image") {
    asPicture(file, place);
    return;
  }
  const show = SHOWN[file.dataset.kind];
  if (!show) return;
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(file.dataset.file, { cache: "no-store", redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    show(file, place, new TextDecoder("utf-8", { ignoreBOM: true }).decode(await answer.arrayBuffer()));
  } catch {
    delete file.dataset.read; // closed and opened again, it is asked for again
    place.replaceChildren(element("p", file.dataset.failed, "wrong"));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

for (const file of document.querySelectorAll("details[data-file]")) {
  file.addEventListener("toggle", () => opened(file));
}

// One press answers "pass" to the points that nothing was found under; the others are answered one by one.
for (const button of document.querySelectorAll("button[data-fills]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    for (const point of document.querySelectorAll(".point[data-clear]")) {
      const radio = point.querySelector("input[type=radio][value=pass]");
      if (radio && !point.querySelector("input[type=radio]:checked")) radio.checked = true;
    }
  });
}
