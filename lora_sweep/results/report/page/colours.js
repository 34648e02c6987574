// Colours of trials by one of the axes, from the style sheet, so that they suit light and dark.

const MOST_COLOURS = 8;
const darkMode = matchMedia('(prefers-color-scheme: dark)');

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let palette = [];
let inks = {};

function readColours() {
  palette = Array.from({ length: MOST_COLOURS }, (_, k) => css(`--series-${k}`));
  inks = { muted: css('--muted'), line: css('--line') };
}

const colourAxes = () => [...sweep.axes.keys()]
  .filter((k) => sweep.axes[k].values.length <= MOST_COLOURS);

function startColours() {
  readColours();
  const axes = colourAxes();
  state.colourBy = axes.find((k) => !sweep.axes[k].seed) ?? axes[0] ?? null;
  darkMode.addEventListener('change', () => {
    readColours();
    emit('colour');
  });
}

function colourOf(k) {
  if (state.colourBy === null) return palette[0];
  const { values } = sweep.axes[state.colourBy];
  return palette[Math.max(0, values.indexOf(trials[k].values[state.colourBy]))];
}

function colourChoice() {
  const options = colourAxes().map((k) => ({ text: axisName(sweep.axes[k].name), value: k }));
  if (options.length < 2) return null;
  return choice('Colour by', options, state.colourBy, (k) => {
    state.colourBy = k;
    emit('colour');
  });
}

function colourLegend() {
  if (state.colourBy === null) return null;
  const { name, values } = sweep.axes[state.colourBy];
  return el(
    'div', { class: 'colour-legend' }, el('span', { class: 'muted' }, axisName(name)),
    values.map((value, k) => el(
      'span', {}, el('i', { class: 'swatch', style: { background: palette[k] } }), shown(value),
    )),
  );
}
