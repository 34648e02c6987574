// What Python has put into the page, and how numbers and settings are written.

const parsed = (id) => JSON.parse(byId(id).textContent);
const sweep = parsed('content');

function once(make) {
  let value;
  return () => (value === undefined ? (value = make()) : value);
}

const curveData = once(() => parsed('curve-data'));
const pictureData = once(() => parsed('picture-data'));
const pictureUrl = (index) => `data:image/webp;base64,${pictureData()[index]}`;

const trials = sweep.trials;
const groupOf = [];
sweep.groups.forEach((members, group) => members.forEach((k) => { groupOf[k] = group; }));
const measureByName = Object.fromEntries(sweep.measures.map((each) => [each.name, each]));
const repeats = sweep.groups.some((members) => members.length > 1);

// Links to files beside the page. Each part is encoded, so that no name can be a scheme.
const href = (...parts) => parts.join('/').split('/').map(encodeURIComponent).join('/');

function number(value, decimals) {
  if (value === null || value === undefined) return '–';
  if (decimals !== undefined) return value.toFixed(decimals);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

// As many decimals as give the largest of them four digits.
function decimalsFor(values) {
  const largest = Math.max(...values.map(Math.abs), 1e-9);
  return Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(largest))));
}

function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')}`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, '0')}`;
}

const percent = (share) => {
  if (share > 0.99 && share < 1) return 'over 99 %';
  if (share > 0 && share < 0.01) return 'under 1 %';
  return `${Math.round(share * 100)} %`;
};
const counted = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
const shown = (value) => (value === null || value === undefined ? 'none' : String(value));
const arrow = (measure) => ({ lower: '↓', higher: '↑' }[measureByName[measure]?.better] ?? '');

// train.max_train_steps → ['train.', 'max_train_steps']; the choice of a group is its name.
function nameParts(name) {
  const short = name.endsWith('.name') ? name.slice(0, -5) : name;
  const dot = short.lastIndexOf('.');
  return [short.slice(0, dot + 1), short.slice(dot + 1)];
}

const axisName = (name) => nameParts(name).join('');

// [[axis, value], ...] of a trial; with seeds or without.
function pairsOf(k, withSeeds = true) {
  return sweep.axes
    .map((axis, index) => [axis, trials[k].values[index]])
    .filter(([axis]) => withSeeds || !axis.seed);
}

function labelOf(k, withSeeds = true) {
  const pairs = pairsOf(k, withSeeds).map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`);
  return pairs.join('  ') || trials[k].name || trials[k].id;
}

const groupLabel = (group) => labelOf(sweep.groups[group][0], false);

function chips(k, withSeeds = false) {
  const pairs = pairsOf(k, withSeeds);
  if (!pairs.length) return [el('span', { class: 'chip' }, el('b', {}, trials[k].name || trials[k].id))];
  return pairs.map(([axis, value]) => el(
    'span', { class: 'chip' }, `${axisName(axis.name)} `, el('b', {}, shown(value)),
  ));
}

// Place of a group by a measure: its standing and rank, or nothing.
const placesBy = {};
function placeOf(measure, group) {
  if (!placesBy[measure]) {
    const standings = sweep.verdicts[measure]?.standings ?? [];
    placesBy[measure] = new Map(standings.map((each, rank) => [each.group, { ...each, rank }]));
  }
  return placesBy[measure].get(group);
}
