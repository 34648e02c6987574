// How numbers are written: with the digits that mean something.

const MINUS = '−';
const signed = (text) => text.replace('-', MINUS);

function number(value, decimals) {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (decimals !== undefined) {
    const vanishes = size !== 0 && size < 0.5 * 10 ** -decimals;
    return signed(vanishes ? value.toExponential(1) : value.toFixed(decimals));
  }
  if (value === 0) return '0';
  if (size >= 1e6 || size < 1e-4) return signed(value.toExponential(2));
  return signed(String(Number(value.toPrecision(4))));
}

// As many decimals as give the largest of them four digits.
function decimalsFor(values) {
  const largest = Math.max(...values.map(Math.abs), 1e-9);
  return Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(largest))));
}

// Of a measure: down to the second digit of its noise floor, what is below that says nothing; at
// most four digits in all.
function decimalsOf(name) {
  const verdict = sweep.verdicts[name];
  const noise = verdict ? verdict.floor || verdict.pooled : null;
  const known = trials.map(({ scores }) => scores[name]).filter((value) => value !== undefined);
  const most = decimalsFor(known);
  return noise ? Math.min(most, Math.max(0, 1 - Math.floor(Math.log10(noise)))) : most;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (part) => String(part % 60).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole)}`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60))}`;
}

function percent(share) {
  if (share > 0.99 && share < 1) return 'over 99 %';
  if (share > 0 && share < 0.01) return 'under 1 %';
  return `${Math.round(share * 100)} %`;
}

const counted = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

// Ticks of one axis have the same number of decimals.
function tickLabels(values) {
  const plain = values.every((value) => value === 0
    || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6));
  if (!plain) {
    return values.map((value) => (value === 0 ? '0' : signed(value.toExponential()))
      .replace('e+', 'e'));
  }
  const decimals = Math.max(...values.map((value) => (
    String(Number(value.toPrecision(6))).split('.')[1] ?? '').length));
  return values.map((value) => signed(value.toLocaleString('en', {
    minimumFractionDigits: decimals, maximumFractionDigits: decimals,
  })));
}

function shortened(text, most) {
  const characters = [...text]; // not code units: an emoji stays whole
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}
