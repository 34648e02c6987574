// Histories of all trials: which panels there are, and how one is drawn.

const PLOT = { left: 52, right: 14, top: 10, bottom: 26, height: 230 };
const FEW_ENOUGH_FOR_DOTS = 40;
const MOST_RAW = 4;
const LINES = [
  { title: 'Loss', about: 'smoothed; raw where highlighted', names: ['loss'], raw: true },
  { title: 'val_loss', about: 'on held-out pictures', names: ['val_loss'] },
  { title: 'drift', about: 'of class prompts from the base', names: ['drift'] },
  { title: 'Learning rate', about: 'as applied, UNet', names: ['lr/unet', 'lr'], log: true },
  { title: 'Learning rate, text side', about: 'as applied', names: ['lr/text'], log: true },
  { title: 'subject', about: 'likeness to the training pictures', names: ['subject'] },
];
const panels = [];
const curveOptions = { raw: true, log: true };

// Drawing waits until the section is near the window: a page of 500 trials then opens fast.
function startCurves() {
  const watch = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    watch.disconnect();
    drawCurveSection();
  }, { rootMargin: '400px' });
  watch.observe(byId('curves'));
}

function drawCurveSection() {
  const known = LINES.map((each) => ({ ...each, name: each.names.find((name) => (
    curveData().some(({ lines }) => lines[name]))) })).filter(({ name }) => name);
  if (!known.length) {
    replace(byId('curves-panels'), el('p', { class: 'muted' }, 'No step has been logged yet.'));
    return;
  }
  const isCurve = ({ name }) => curveData().some(({ lines }) => lines[name]?.[0].length > 1);
  known.filter(isCurve).forEach((each) => panels.push(curvePanel(each)));
  replace(byId('curves-panels'), panels.map((panel) => panel.figure));
  const atEnd = known.filter((each) => !isCurve(each)).map(({ name }) => name);
  if (atEnd.length) {
    byId('curves-panels').after(el('p', { class: 'muted small' }, `${atEnd.join(', ')}: measured `
      + 'at the end only; evaluate.every=100 measures every 100 steps.'));
  }
  drawCurveTools();
  new ResizeObserver(() => panels.forEach(drawPanel)).observe(byId('curves-panels'));
  on('filter', () => panels.forEach(drawPanel));
  on('colour', () => { drawCurveTools(); panels.forEach(drawPanel); });
  on('highlight', () => panels.forEach(lightPanel));
}

function drawCurveTools() {
  const redraw = (key) => (checked) => { curveOptions[key] = checked; panels.forEach(drawPanel); };
  replace(
    byId('curves-tools'), colourChoice(), tick('Raw loss', curveOptions.raw, redraw('raw')),
    panels.some((panel) => panel.log)
      ? tick('Logarithmic rates', curveOptions.log, redraw('log')) : null,
    colourLegend(),
  );
}

function curvePanel(each) {
  const canvas = el('canvas', { role: 'img',
    'aria-label': `${each.title} over steps, a line per trial; the table has the values` });
  const figure = el('figure', { class: 'panel' }, el('figcaption', {}, el('b', {}, each.title), ' ',
    el('span', { class: 'muted small' }, each.about)), canvas);
  const panel = { ...each, canvas, figure, base: document.createElement('canvas') };
  pointing(panel);
  return panel;
}

const lineOf = (panel, k) => curveData()[k].lines[panel.name];

function drawPanel(panel) {
  const width = panel.canvas.clientWidth;
  const ratio = devicePixelRatio || 1;
  [panel.canvas, panel.base].forEach((canvas) => {
    canvas.width = width * ratio;
    canvas.height = PLOT.height * ratio;
  });
  panel.drawn = mixed(shownTrials().filter((k) => lineOf(panel, k)));
  const c = panel.base.getContext('2d');
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, PLOT.height);
  if (panel.drawn.length) {
    placeScales(panel, width);
    c.globalAlpha = Math.max(0.25, Math.min(0.9, 12 / panel.drawn.length));
    const dots = panel.drawn.length <= FEW_ENOUGH_FOR_DOTS;
    panel.drawn.forEach((k) => drawLine(c, panel, lineOf(panel, k), colourOf(k), 1.4, dots));
    c.globalAlpha = 1;
  }
  lightPanel(panel);
}

// Not in the order of the sweep: the last value of an axis would lie on top of all others.
function mixed(list) {
  const stride = [7, 11, 13].find((each) => list.length % each) ?? 1;
  return list.map((_, i) => list[(i * stride) % list.length]);
}

function placeScales(panel, width) {
  const lines = panel.drawn.map((k) => lineOf(panel, k));
  const values = lines.flatMap(([, ys]) => ys);
  const last = Math.max(...lines.map(([xs]) => xs[xs.length - 1]));
  const from = PLOT.height - PLOT.bottom;
  const positive = values.filter((value) => value > 0);
  panel.x = linear(0, last, PLOT.left, width - PLOT.right);
  if (panel.log && curveOptions.log && positive.length) {
    const [low, high] = extremes(positive);
    panel.y = logarithmic(low / 1.3, Math.max(high, low * 2) * 1.3, from, PLOT.top);
  } else panel.y = linear(...rangeOf(values, 0.08), from, PLOT.top);
}

function drawAxes(c, panel, width) {
  const family = getComputedStyle(document.body).fontFamily;
  Object.assign(c, {
    font: `11px ${family}`, fillStyle: inks.muted, strokeStyle: inks.line, lineWidth: 1,
    textBaseline: 'middle', textAlign: 'right',
  });
  const ys = panel.y.ticks(5);
  const yLabels = tickLabels(ys);
  ys.forEach((value, k) => {
    const y = Math.round(panel.y(value)) + 0.5;
    c.beginPath();
    c.moveTo(PLOT.left, y);
    c.lineTo(width - PLOT.right, y);
    c.stroke();
    c.fillText(yLabels[k], PLOT.left - 6, y);
  });
  const xs = panel.x.ticks(Math.max(2, Math.floor(width / 110)));
  const xLabels = tickLabels(xs);
  Object.assign(c, { textBaseline: 'top', textAlign: 'center' });
  xs.forEach((value, k) => {
    const first = k === 0;
    c.textAlign = first ? 'left' : panel.x(value) > width - 24 ? 'right' : 'center';
    const shift = first ? -3 : c.textAlign === 'right' ? 6 : 0;
    const label = first ? `${xLabels[k]} steps` : xLabels[k];
    c.fillText(label, panel.x(value) + shift, PLOT.height - PLOT.bottom + 8);
  });
}

function drawLine(c, panel, [xs, ys], colour, thick, dots) {
  Object.assign(c, { strokeStyle: colour, fillStyle: colour, lineWidth: thick, lineJoin: 'round' });
  c.beginPath();
  xs.forEach((x, i) => c[i ? 'lineTo' : 'moveTo'](panel.x(x), panel.y(ys[i])));
  c.stroke();
  if (!dots || xs.length > 24) return;
  xs.forEach((x, i) => {
    c.beginPath();
    c.arc(panel.x(x), panel.y(ys[i]), thick + 1, 0, 7);
    c.fill();
  });
}

// All lines are kept drawn; the highlighted ones go on top.
function lightPanel(panel) {
  if (!panel.drawn) return;
  const c = panel.canvas.getContext('2d');
  const ratio = devicePixelRatio || 1;
  const lit = litTrials().filter((k) => state.shown.has(k) && lineOf(panel, k));
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, panel.canvas.width, panel.canvas.height);
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (panel.drawn.length) drawAxes(c, panel, panel.canvas.clientWidth);
  c.globalAlpha = lit.length ? 0.3 : 1;
  if (panel.base.width) c.drawImage(panel.base, 0, 0, panel.canvas.clientWidth, PLOT.height);
  c.save();
  c.beginPath();
  c.rect(PLOT.left - 4, 0, panel.canvas.clientWidth, PLOT.height - PLOT.bottom + 4);
  c.clip();
  if (panel.raw && curveOptions.raw && lit.length <= MOST_RAW) {
    c.globalAlpha = 0.4;
    lit.forEach((k) => drawLine(c, panel, curveData()[k].raw, colourOf(k), 0.8));
  }
  c.globalAlpha = 1;
  lit.forEach((k) => drawLine(c, panel, lineOf(panel, k), colourOf(k), 2.6, true));
  c.restore();
}
