// From values to pixels, and where to put ticks.

function linear(low, high, from, to) {
  const span = high - low || 1;
  const scale = (value) => from + ((value - low) / span) * (to - from);
  scale.ticks = (count) => niceTicks(low, high, count);
  return scale;
}

function logarithmic(low, high, from, to) {
  const scale = linear(Math.log10(low), Math.log10(high), from, to);
  const log = (value) => scale(Math.log10(Math.max(value, low)));
  log.ticks = (count) => logTicks(low, high, count);
  return log;
}

function niceTicks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= raw * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from(
    { length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)),
  );
}

function logTicks(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return niceTicks(low, high, count);
  const every = Math.ceil((last - first + 1) / count);
  return Array.from(
    { length: Math.floor((last - first) / every) + 1 }, (_, k) => 10 ** (first + k * every),
  );
}

// Not Math.min(...values): that takes only so many.
const extremes = (values) => [
  values.reduce((a, b) => Math.min(a, b), Infinity),
  values.reduce((a, b) => Math.max(a, b), -Infinity),
];

// [lowest, highest] with some room; of one value, a range around it.
function rangeOf(values, room) {
  const [low, high] = extremes(values);
  const margin = (high - low) * room || Math.abs(low) * 0.1 || 1;
  return [low - margin, high + margin];
}
