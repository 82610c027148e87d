// Run in a copy of the page by tests/browser.rs, whose frame around it takes what this finds.
const root = document.documentElement;
const problems = [];
const name = (element) => `<${element.tagName.toLowerCase()}> ${element.textContent.trim().slice(0, 40)}`;
const shown = (element) => element.getClientRects().length > 0;

if (root.scrollWidth > innerWidth) {
  problems.push(`the page is ${root.scrollWidth} wide on ${innerWidth}`);
}
for (const element of document.body.querySelectorAll("*")) {
  // What is wider scrolls by itself.
  if (!shown(element) || element.closest(".scroll table")) continue;
  const box = element.getBoundingClientRect();
  if (box.left < -0.5 || box.right > innerWidth + 0.5) {
    problems.push(`${name(element)} reaches from ${box.left} to ${box.right}`);
  }
}
for (const svg of [...document.querySelectorAll("svg")].filter(shown)) {
  const edge = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => text.getBoundingClientRect());
  texts.forEach((text, i) => {
    if (parseFloat(getComputedStyle(text).fontSize) * edge.width / svg.viewBox.baseVal.width < 9) {
      problems.push(`too small to read: ${name(text)}`);
    }
    if (boxes[i].left < edge.left - 0.5 || boxes[i].right > edge.right + 0.5
        || boxes[i].top < edge.top - 0.5 || boxes[i].bottom > edge.bottom + 0.5) {
      problems.push(`cut off: ${name(text)}`);
    }
    for (let j = 0; j < i; j++) {
      const overlaps = boxes[i].left < boxes[j].right && boxes[j].left < boxes[i].right
        && boxes[i].top < boxes[j].bottom && boxes[j].top < boxes[i].bottom;
      if (overlaps) problems.push(`${name(text)} overlaps ${name(texts[j])}`);
    }
  });
  if (!svg.querySelector("title")?.textContent || !svg.querySelector("desc")?.textContent) {
    problems.push("a drawing without words");
  }
}
for (const table of document.querySelectorAll("table")) {
  if (!table.caption.textContent) problems.push("a table without a caption");
}
const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const height = Math.ceil(root.getBoundingClientRect().height);
parent.postMessage({form: scheme + innerWidth, found: JSON.stringify({height, problems})}, "*");
