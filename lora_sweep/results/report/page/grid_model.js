// Pictures by any two of: the settings that vary, prompt, picture seed, step. The others are fixed.

const ANY = 'any';
const MOST_CELLS = 600;

// Every picture with its place on all dimensions.
const shots = once(() => trials.flatMap((trial, k) => trial.samples.map((sample) => ({
  trial: k,
  sample,
  at: [...trial.values.map((value) => value ?? null), sample[0], sample[1], sample[2]],
}))));

const dimensions = once(() => {
  const distinct = (index) => [...new Set(shots().map((shot) => shot.at[index]))];
  const sizes = (index) => distinct(index).sort((a, b) => a - b);
  const many = sweep.axes.length;
  const settings = sweep.axes.map((axis, index) => {
    const seen = new Set(distinct(index));
    const values = axis.values.filter((value) => seen.has(value));
    return { index, name: axisName(axis.name), seed: axis.seed, setting: true, values };
  });
  const prompt = {
    index: many, name: 'prompt', values: distinct(many), write: (p) => sweep.prompts[p],
  };
  const seed = { index: many + 1, name: 'picture seed', values: sizes(many + 1) };
  const step = { index: many + 2, name: 'step', values: sizes(many + 2), last: true };
  return [...settings, prompt, seed, step].filter((each) => each.values.length > 1);
});

const grid = { columns: null, rows: null, fixed: new Map(), size: 'medium' };
const written = (dimension, value) => (dimension.write ? dimension.write(value) : shown(value));

// The settings that vary most usefully, else prompt and seed.
function chooseEdges() {
  const settings = dimensions().filter((d) => d.setting && !d.seed && d.values.length <= 24);
  const named = (name) => dimensions().find((d) => d.name === name);
  const [prompt, seed] = [named('prompt'), named('picture seed')];
  grid.columns = settings[0] ?? prompt ?? seed ?? null;
  const others = [settings[1], prompt, seed].filter((d) => d && d !== grid.columns);
  grid.rows = others[0] ?? null;
}

// Trials, best first by the chosen measure: the first that fits a cell is shown in it.
function byPlace() {
  const rank = (k) => placeOf(state.measure, groupOf[k])?.rank ?? Infinity;
  return [...trials.keys()].sort((a, b) => (rank(a) === rank(b) ? a - b : rank(a) - rank(b)));
}

// What is not on an edge of the grid is that of the best trial, if that leaves no cell empty.
function fixOthers() {
  const best = byPlace().find((k) => trials[k].samples.length);
  const ofBest = shots().filter((shot) => shot.trial === best);
  grid.fixed = new Map();
  dimensions().filter((d) => d !== grid.columns && d !== grid.rows).forEach((d) => {
    const values = ofBest.map((shot) => shot.at[d.index]);
    grid.fixed.set(d, d.last ? Math.max(...values) : values[0]);
  });
  const cells = (fixed) => new Set(matching(fixed).map(cellOf)).size;
  const most = cells(new Map());
  [...grid.fixed.keys()].filter(canBeAny).forEach((d) => {
    if (cells(grid.fixed) === most) return;
    const without = new Map(grid.fixed).set(d, ANY);
    if (cells(without) > cells(grid.fixed)) grid.fixed = without;
  });
}

const canBeAny = (d) => Boolean(d.setting || d.last);

function matching(fixed) {
  const wanted = [...fixed].filter(([, value]) => value !== ANY);
  return shots().filter((shot) => wanted.every(([d, value]) => shot.at[d.index] === value));
}

const cellKey = (row, column) => JSON.stringify([row, column]);
const at = (shot, d) => (d ? shot.at[d.index] : null);
const cellOf = (shot) => cellKey(at(shot, grid.rows), at(shot, grid.columns));

// {columns, rows, shot(row, column), list} of the pictures to show.
function gridCells() {
  const order = new Map(byPlace().map((k, rank) => [k, rank]));
  const found = new Map();
  matching(grid.fixed).filter((shot) => state.shown.has(shot.trial))
    .sort((a, b) => order.get(a.trial) - order.get(b.trial) || b.sample[2] - a.sample[2])
    .forEach((shot) => { if (!found.has(cellOf(shot))) found.set(cellOf(shot), shot); });
  const all = [...found.values()];
  const valuesOf = (d) => (d ? d.values.filter((v) => all.some((s) => at(s, d) === v)) : [null]);
  const columns = valuesOf(grid.columns);
  const room = Math.max(1, Math.floor(MOST_CELLS / Math.max(1, columns.length)));
  const every = valuesOf(grid.rows);
  const rows = every.slice(0, room);
  const shot = (row, column) => found.get(cellKey(row, column));
  const list = rows.flatMap((row) => columns.map((column) => shot(row, column))).filter(Boolean);
  return { columns, rows, shot, list, cut: every.length - rows.length };
}
