// Writes what each frame shows into #found, as JSON.
const rgb = (text) => text.match(/[\d.]+/g).map(Number);

function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

// Of an element's text against what is behind it, as WCAG 2 has it.
function contrast(element) {
  const style = (e) => e.ownerDocument.defaultView.getComputedStyle(e);
  let behind = element;
  while (behind && (rgb(style(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
  const colours = [rgb(style(element).color), behind ? rgb(style(behind).backgroundColor) : [255, 255, 255]];
  const [light, dark] = colours.map(luminance).sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function measure(frame) {
  const root = frame.contentDocument.documentElement;
  frame.style.height = `${root.scrollHeight}px`;
  const pictures = [...frame.contentDocument.images];
  const texts = [...frame.contentDocument.querySelectorAll('p, td, a, li, b, span, i')];
  const leaves = texts.filter((e) => [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()));
  return {
    width: root.scrollWidth,
    height: root.scrollHeight,
    pictures: pictures.filter((p) => p.naturalWidth > 0).length,
    broken: pictures.filter((p) => p.naturalWidth === 0).length,
    contrast: Math.min(21, ...leaves.map(contrast)),
  };
}

onload = () => {
  const frames = [...document.querySelectorAll('iframe')];
  const found = Object.fromEntries(frames.map((frame) => [frame.title, measure(frame)]));
  document.getElementById('found').textContent = JSON.stringify(found);
};
