// What stands below the table: its signs, what went wrong, what the measures cannot see.

const MOST_REASONS = 50;
const OPEN_REASONS = 4;

function startTableNotes() {
  byId('trials-legend').textContent = legendText();
  byId('trials-notes').append(...[failures(), measureNotes(), leftOut()].filter(Boolean));
}

function legendText() {
  const parts = [];
  const verdicts = Object.values(sweep.verdicts);
  if (verdicts.length) parts.push('↓ lower is better, ↑ higher is better, ★ best.');
  if (verdicts.some(({ floor }) => floor)) {
    parts.push('≈ cannot be told from the best: nearer to it than the noise floor. The best of '
      + 'all is among these with a chance of 95 %. ± is the standard deviation over seeds; the '
      + 'noise floor compares settings within seeds, which is sharper.');
  }
  parts.push('The coloured square keeps a row highlighted in all drawings below.');
  return parts.join(' ');
}

function failures() {
  const failed = [...trials.keys()].filter((k) => trials[k].reason);
  if (!failed.length) return null;
  const items = failed.slice(0, MOST_REASONS).map((k) => el(
    'li', {}, el('button', { class: 'link', onclick: () => openDetails(k) }, labelOf(k)),
    ` ${trials[k].state}: ${trials[k].reason}`,
  ));
  const rest = failed.length - items.length;
  return el(
    'details', { class: 'failures', open: failed.length <= OPEN_REASONS },
    el('summary', {}, `${counted(failed.length, 'trial')} without a result, and why`),
    el('ul', {}, items, rest ? el('li', {}, `and ${rest} more`) : null),
  );
}

function measureNotes() {
  if (!sweep.measures.length) return null;
  return el(
    'details', {}, el('summary', {}, 'What the measures say, and what they cannot see'),
    el('dl', { class: 'measure-notes' }, sweep.measures.map((each) => [
      el('dt', {}, arrowed(each.name)),
      el('dd', {}, `${each.formula}. Range ${each.range}. It cannot see ${each.blind_to}.`),
    ])),
  );
}

// Combinations that were asked for and are impossible.
function leftOut() {
  const { left_out: list } = sweep;
  if (!list.length) return null;
  return el(
    'details', {},
    el('summary', {}, `${counted(list.length, 'impossible combination')} left out`),
    el('ul', {}, list.slice(0, MOST_REASONS).map(({ asked, why }) => el(
      'li', {}, el('span', { class: 'mono' }, asked), ': ', why,
    ))),
  );
}
