// What Python has put into the page, and what trials and settings are called.

const LONGEST_NUMBER = 8; // characters

const parsed = (id) => JSON.parse(byId(id).textContent);
const sweep = parsed('content');

function once(make) {
  let value;
  return () => (value === undefined ? (value = make()) : value);
}

const curveData = once(() => parsed('curve-data'));
const pictureData = once(() => parsed('picture-data'));
const pictureUrl = (index) => `data:image/webp;base64,${pictureData()[index]}`;

const { trials } = sweep;
const groupOf = [];
sweep.groups.forEach((members, group) => members.forEach((k) => { groupOf[k] = group; }));
const measureByName = Object.fromEntries(sweep.measures.map((each) => [each.name, each]));
const repeats = sweep.groups.some((members) => members.length > 1);

// Links to files beside the page. Each part is encoded, so that no name can be a scheme.
const href = (...parts) => parts.join('/').split('/').map(encodeURIComponent).join('/');

// A number that a search has drawn is rounded; the settings of the trial have all of it.
function shown(value) {
  if (value === null || value === undefined) return 'none';
  const long = typeof value === 'number' && String(value).length > LONGEST_NUMBER;
  return long ? number(value) : String(value);
}

const arrow = (name) => ({ lower: '↓', higher: '↑' }[measureByName[name]?.better] ?? '');
const arrowed = (name) => `${name} ${arrow(name)}`.trim();
const beats = (name, a, b) => (measureByName[name].better === 'lower' ? a < b : a > b);

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
  const pairs = pairsOf(k, withSeeds)
    .map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`);
  return pairs.join('  ') || trials[k].name || trials[k].id;
}

const groupLabel = (group) => labelOf(sweep.groups[group][0], false);

// The same in short, where the names of the settings are known.
const valuesOf = (k, withSeeds = true) => pairsOf(k, withSeeds)
  .map(([, value]) => shown(value)).join(' ') || labelOf(k);
const groupValues = (group) => valuesOf(sweep.groups[group][0], false);

function chips(k, withSeeds = false) {
  const pairs = pairsOf(k, withSeeds);
  if (!pairs.length) {
    return [el('span', { class: 'chip' }, el('b', {}, trials[k].name || trials[k].id))];
  }
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

// Of trials that differ in seeds alone, the one that came out best; else the first that is done.
function bestMember(group, name) {
  const done = sweep.groups[group].filter((k) => trials[k].state === 'done');
  const scored = done.filter((k) => trials[k].scores[name] !== undefined);
  if (!scored.length) return done[0] ?? sweep.groups[group][0];
  const score = (k) => trials[k].scores[name];
  return scored.reduce((best, k) => (beats(name, score(k), score(best)) ? k : best));
}

const statesText = () => Object.entries(sweep.states)
  .map(([name, count]) => `${count} ${name}`).join(', ');
