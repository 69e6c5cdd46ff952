// What the pages do beyond links and forms: dialogs, filters that apply at once, JSON fields, pictures, copying.
// No words stand here: what is said to the reader comes from the page, in its language.

const pageRoot = document.documentElement;
const live = document.getElementById("live");
const colourScheme = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // the element of a picture -> the picture

/** Show one sentence of the page's own above everything else; `kind` names the attribute that holds it. */
function say(kind) {
  const text = live?.dataset[kind];
  if (!text) return;
  const notice = document.createElement("div");
  notice.className = "notice hard";
  notice.append(Object.assign(document.createElement("div"), { textContent: text }));
  live.replaceChildren(notice);
}

// --- dialogs, copying, filters

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    if (dialog && !dialog.open) dialog.showModal();
    return;
  }
  const copier = event.target.closest("[data-copies]");
  if (copier) copied(copier);
});

async function copied(button) {
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(source); // the keyboard copies it then
  }
}

function keeps(event) {
  const chosen = getSelection();
  const kept = [...document.querySelectorAll("[data-nocopy]")];
  if (kept.some((one) => one.contains(event.target) || (chosen.rangeCount && chosen.containsNode(one, true)))) {
    event.preventDefault();
    say("nocopy");
  }
}
for (const kind of ["copy", "cut", "dragstart"]) document.addEventListener(kind, keeps);

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto]");
  if (form && event.target.matches("select, input[type=checkbox], input[type=radio], input[type=date]")) {
    form.requestSubmit();
  }
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("textarea[data-json]")) return;
  let wrong = "";
  try {
    if (event.target.value.trim()) JSON.parse(event.target.value);
  } catch {
    wrong = event.target.dataset.json;
  }
  event.target.setCustomValidity(wrong);
  event.target.setAttribute("aria-invalid", String(Boolean(wrong)));
});

// A form is sent once: a second press would ask for the same act again.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.submitter?.formMethod === "dialog") return;
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 5000); // where the answer was no new page
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// --- fragments

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-poll]")) event.preventDefault();
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.reload(); // the session is over: the server says where to go
  else say("failed");
});
document.addEventListener("htmx:sendError", () => say("offline"));
document.addEventListener("htmx:afterSettle", (event) => pictures(event.target));

// --- pictures

const token = (name) => getComputedStyle(pageRoot).getPropertyValue(name).trim();

/** A description of a picture with the names of tokens ("--hard") put into colours. */
function coloured(part) {
  if (typeof part === "string") return part.startsWith("--") ? token(part) : part;
  if (Array.isArray(part)) return part.map(coloured);
  if (part && typeof part === "object") {
    return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, coloured(value)]));
  }
  return part;
}

function look() {
  const axis = {
    axisLine: { lineStyle: { color: "--edge" } },
    axisTick: { lineStyle: { color: "--edge" } },
    axisLabel: { color: "--soft" },
    nameTextStyle: { color: "--soft" },
    splitLine: { lineStyle: { color: "--line" } },
    splitArea: { areaStyle: { color: ["--sheet", "--sheet"] } },
  };
  return coloured({
    color: ["--accent", "--ok", "--hold", "--hard", "--idle", "--edge"],
    backgroundColor: "transparent",
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: "--ink" },
    categoryAxis: { ...axis, splitLine: { show: false } },
    valueAxis: axis,
    logAxis: axis,
    timeAxis: axis,
    legend: { textStyle: { color: "--ink" }, inactiveColor: "--soft" },
    graph: { label: { color: "--ink", position: "bottom" }, lineStyle: { color: "--edge" } },
    markLine: { label: { color: "--ink" } },
    visualMap: { textStyle: { color: "--ink" } },
  });
}

async function draw(figure) {
  const canvas = figure.querySelector(".canvas");
  try {
    const url = document.querySelector("meta[name=charts]").content;
    const [{ init }, answer] = await Promise.all([import(url), fetch(figure.dataset.chart)]);
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    drawn.get(canvas)?.dispose();
    canvas.textContent = "";
    canvas.classList.add("drawn");
    const picture = init(canvas, look(), { renderer: "svg" });
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const tooltip = {
      backgroundColor: "--sheet",
      borderColor: "--edge",
      textStyle: { color: "--ink", fontSize: 12 },
      confine: true,
      ...told.tooltip,
      renderMode: "richText", // the other mode writes styles into the page, which its policy refuses
    };
    picture.setOption({ ...coloured({ ...told, tooltip }), animation: !still && told.animation !== false });
    picture.on("click", ({ data }) => {
      const url = data?.url; // a part that leads somewhere; the table beside it has the same as a link
      if (typeof url === "string" && url.startsWith("/console/")) location.assign(url);
    });
    drawn.set(canvas, picture);
    sizes.observe(canvas);
  } catch {
    canvas.textContent = canvas.dataset.failed;
    figure.querySelector("details")?.setAttribute("open", "");
  }
}

const sizes = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (target.isConnected) drawn.get(target)?.resize();
    else forgotten(target);
  }
});

function forgotten(canvas) {
  sizes.unobserve(canvas);
  drawn.get(canvas)?.dispose();
  drawn.delete(canvas);
}

function pictures(within) {
  for (const canvas of drawn.keys()) if (!canvas.isConnected) forgotten(canvas);
  for (const figure of within.querySelectorAll("figure[data-chart]")) draw(figure);
}
colourScheme.addEventListener("change", () => pictures(document));
pictures(document);
