// Histories of all trials: the smoothed lines, with the raw loss of those that are highlighted.

const PLOT = { left: 52, right: 14, top: 10, bottom: 26, height: 240 };
const LINES = [
  { title: 'Loss', about: 'smoothed; raw for highlighted trials', names: ['loss'], raw: true },
  { title: 'val_loss', about: 'held-out pictures, every evaluate.every steps', names: ['val_loss'] },
  { title: 'Effective learning rate', about: 'what the optimizer really applies, of the UNet', names: ['lr/unet', 'lr'], log: true },
  { title: 'Effective learning rate, text side', about: 'text encoders or new tokens', names: ['lr/text'], log: true },
  { title: 'drift', about: 'how far class prompts moved from the base', names: ['drift'] },
];
const panels = [];
const curveOptions = { raw: true, log: true };

// Drawing waits until the section is near the window: a page of 500 trials then opens fast.
function startCurves() {
  const section = byId('curves');
  const watch = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    watch.disconnect();
    drawCurveSection();
  }, { rootMargin: '400px' });
  watch.observe(section);
}

function drawCurveSection() {
  drawCurveTools();
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
    byId('curves-panels').after(el('p', { class: 'muted small' }, `${atEnd.join(' and ')}: measured at the end only; `
      + 'evaluate.every=100 measures every 100 steps.'));
  }
  new ResizeObserver(() => panels.forEach(drawPanel)).observe(byId('curves-panels'));
  on('filter', () => panels.forEach(drawPanel));
  on('colour', () => { drawCurveTools(); panels.forEach(drawPanel); });
  on('highlight', () => panels.forEach(lightPanel));
}

function drawCurveTools() {
  const redraw = (key) => (checked) => { curveOptions[key] = checked; panels.forEach(drawPanel); };
  replace(
    byId('curves-tools'), colourChoice(), tick('Raw loss', curveOptions.raw, redraw('raw')),
    tick('Logarithmic rates', curveOptions.log, redraw('log')), colourLegend(),
  );
}

function curvePanel(each) {
  const canvas = el('canvas', { role: 'img', 'aria-label': `${each.title} over steps, one line per trial; the table has the values` });
  canvas.addEventListener('pointermove', (event) => pointAt(panel, event));
  canvas.addEventListener('pointerleave', () => { tip.hide(); setHover([]); });
  canvas.addEventListener('click', () => { if (state.hover.length) togglePinned(state.hover); });
  const figure = el('figure', { class: 'panel' }, el('figcaption', {}, el('b', {}, each.title), ' ', el('span', { class: 'muted small' }, each.about)), canvas);
  const panel = { ...each, canvas, figure, base: document.createElement('canvas') };
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
  const drawn = shownTrials().filter((k) => lineOf(panel, k));
  panel.drawn = drawn;
  const c = panel.base.getContext('2d');
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, PLOT.height);
  if (drawn.length) {
    placeScales(panel, drawn, width);
    drawAxes(c, panel, width);
    c.globalAlpha = Math.max(0.25, Math.min(0.9, 12 / drawn.length));
    drawn.forEach((k) => drawLine(c, panel, lineOf(panel, k), colourOf(k), 1.4));
    c.globalAlpha = 1;
  }
  lightPanel(panel);
}

function placeScales(panel, drawn, width) {
  const lines = drawn.map((k) => lineOf(panel, k));
  const values = lines.flatMap(([, ys]) => ys);
  const last = Math.max(...lines.map(([xs]) => xs[xs.length - 1]));
  const from = PLOT.height - PLOT.bottom;
  const positive = values.filter((value) => value > 0);
  panel.x = linear(0, last, PLOT.left, width - PLOT.right);
  if (panel.log && curveOptions.log && positive.length) {
    const low = Math.min(...positive);
    panel.y = logarithmic(low / 1.3, Math.max(...positive, low * 2) * 1.3, from, PLOT.top);
  } else panel.y = linear(...rangeOf(values, 0.08), from, PLOT.top);
}

function drawAxes(c, panel, width) {
  c.font = '11px system-ui, sans-serif';
  c.fillStyle = inks.muted;
  c.strokeStyle = inks.line;
  c.lineWidth = 1;
  c.textBaseline = 'middle';
  c.textAlign = 'right';
  panel.y.ticks(5).forEach((value) => {
    const y = Math.round(panel.y(value)) + 0.5;
    c.beginPath();
    c.moveTo(PLOT.left, y);
    c.lineTo(width - PLOT.right, y);
    c.stroke();
    c.fillText(tickLabel(value), PLOT.left - 6, y);
  });
  c.textBaseline = 'top';
  c.textAlign = 'center';
  panel.x.ticks(Math.max(2, Math.floor(width / 110))).forEach((value) => {
    c.fillText(tickLabel(value), panel.x(value), PLOT.height - PLOT.bottom + 8);
  });
}

function drawLine(c, panel, [xs, ys], colour, thick) {
  c.strokeStyle = colour;
  c.fillStyle = colour;
  c.lineWidth = thick;
  c.lineJoin = 'round';
  c.beginPath();
  xs.forEach((x, i) => c[i ? 'lineTo' : 'moveTo'](panel.x(x), panel.y(ys[i])));
  c.stroke();
  if (xs.length <= 24) {
    xs.forEach((x, i) => {
      c.beginPath();
      c.arc(panel.x(x), panel.y(ys[i]), thick + 1, 0, 7);
      c.fill();
    });
  }
}

// All lines are kept drawn; the highlighted ones go on top.
function lightPanel(panel) {
  if (!panel.drawn) return;
  const c = panel.canvas.getContext('2d');
  const ratio = devicePixelRatio || 1;
  const lit = litTrials().filter((k) => state.shown.has(k) && lineOf(panel, k));
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, panel.canvas.width, panel.canvas.height);
  c.globalAlpha = lit.length ? 0.35 : 1;
  if (panel.base.width) c.drawImage(panel.base, 0, 0);
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.save();
  c.beginPath();
  c.rect(PLOT.left - 4, 0, panel.canvas.clientWidth, PLOT.height - PLOT.bottom + 4);
  c.clip();
  if (panel.raw && curveOptions.raw && lit.length <= 8) {
    c.globalAlpha = 0.4;
    lit.forEach((k) => drawLine(c, panel, curveData()[k].raw, colourOf(k), 0.8));
  }
  c.globalAlpha = 1;
  lit.forEach((k) => drawLine(c, panel, lineOf(panel, k), colourOf(k), 2.6));
  c.restore();
}

// The line nearest to the pointer, by height at the pointer's step.
function pointAt(panel, event) {
  if (!panel.drawn?.length) return;
  const box = panel.canvas.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  let nearest = null;
  panel.drawn.forEach((k) => {
    const [xs, ys] = lineOf(panel, k);
    const i = nearestIndex(xs, px, panel.x);
    const away = Math.hypot((panel.x(xs[i]) - px) / 3, panel.y(ys[i]) - py);
    if (!nearest || away < nearest.away) nearest = { k, i, away, x: xs[i], y: ys[i] };
  });
  if (nearest.away > 40) {
    tip.hide();
    setHover([]);
    return;
  }
  setHover([nearest.k]);
  tip.show(event, el('b', {}, `${number(nearest.y)}`), ` at step ${nearest.x.toLocaleString('en')}`, el('br'), labelOf(nearest.k));
}

function nearestIndex(xs, px, scale) {
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (scale(xs[middle]) < px) low = middle;
    else high = middle;
  }
  return Math.abs(scale(xs[low]) - px) < Math.abs(scale(xs[high]) - px) ? low : high;
}
