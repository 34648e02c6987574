// Every text that is seen, with its contrast to what lies behind it (WCAG 2.2, 1.4.3), where that
// is too low: [[contrast, least, text, element], ...].
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

function rgba(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

const over = ([r, g, b, a], below) => [r, g, b].map((c, k) => c * a + below[k] * (1 - a));

function behind(node) {
  const layers = [];
  for (let each = node; each; each = each.parentElement) {
    layers.push(rgba(getComputedStyle(each).backgroundColor));
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
}

function luminance(colour) {
  const [r, g, b] = colour.map((c) => {
    const share = c / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const found = [];
let checked = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  const style = getComputedStyle(node);
  const hidden = node.closest('script, style, noscript, [hidden], .hidden-text, .skip')
    || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  if (!text || hidden) continue;
  const ink = node.namespaceURI.endsWith('svg') ? style.fill : style.color;
  const ground = behind(node);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const least = large ? 3 : 4.5;
  const value = contrast(over(rgba(ink), ground), ground);
  checked += 1;
  if (value < least) found.push([value.toFixed(2), least, text.slice(0, 40), node.className]);
}
return { checked, found };
