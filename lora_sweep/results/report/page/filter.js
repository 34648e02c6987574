// Which trials pass the filter: by words and by state.

const TYPING = 120; // milliseconds without a key, after which it is over
const filter = { words: '', state: 'all', timer: 0 };

function startFilter() {
  const about = 'Filter trials by settings, names and reasons';
  const search = el('input', {
    type: 'search', placeholder: `Filter: ${filterExample()}`, 'aria-label': about,
    oninput: () => { filter.words = search.value; filterSoon(); },
  });
  byId('trials-tools').append(search);
  const states = ['all', ...Object.keys(sweep.states)];
  if (states.length > 2) {
    const options = states.map((name) => ({ text: name, value: name }));
    byId('trials-tools').append(choice('State', options, 'all', (name) => {
      filter.state = name;
      filterTrials();
    }));
  }
}

function filterExample() {
  const pairs = pairsOf(0).slice(0, 2)
    .map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`);
  return pairs.join(' ') || 'done';
}

const textOf = trials.map((trial, k) => [
  labelOf(k), trial.id, trial.name, trial.state, trial.reason ?? '',
].join(' ').toLowerCase());

// Each word has to be in the row; key=value is a whole value, as rank=4 is not rank=40.
function passes(k) {
  if (filter.state !== 'all' && trials[k].state !== filter.state) return false;
  const pairs = pairsOf(k)
    .map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`.toLowerCase());
  return filter.words.toLowerCase().split(/\s+/).filter(Boolean).every((word) => (
    word.includes('=') ? pairs.some((pair) => pair === word || pair.endsWith(`.${word}`))
      : textOf[k].includes(word)
  ));
}

// Every part of the page draws itself anew, so not for each letter.
function filterSoon() {
  clearTimeout(filter.timer);
  byId('trials-table').setAttribute('aria-busy', 'true');
  filter.timer = setTimeout(filterTrials, TYPING);
}

function filterTrials() {
  byId('trials-table').removeAttribute('aria-busy');
  state.shown = new Set([...trials.keys()].filter(passes));
  emit('filter');
}
