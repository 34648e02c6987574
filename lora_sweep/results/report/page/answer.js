// The answer in one look: the best settings, how sure that is, and what to do with them.

const MOST_ANSWER_PICTURES = 8;
const LIKELY = 0.8; // a chance of being best, from which on a tie is called otherwise

function startAnswer() {
  const select = byId('measure');
  const names = Object.keys(sweep.verdicts);
  names.forEach((name) => select.append(
    el('option', { value: name, selected: name === state.measure }, arrowed(name)),
  ));
  select.disabled = names.length < 2;
  select.parentElement.hidden = !names.length;
  select.addEventListener('change', () => judgeBy(select.value));
  on('measure', () => { select.value = state.measure; drawAnswer(); });
  drawAnswer();
}

function judgeBy(name) {
  state.measure = name;
  emit('measure');
}

function drawAnswer() {
  const notes = sweep.notes.map((note) => el('p', { class: 'note' }, note));
  const verdict = sweep.verdicts[state.measure];
  if (!verdict) {
    const lead = el('p', { class: 'lead' }, noAnswer());
    replace(byId('answer-body'), el('div', { class: 'card' }, lead), notes);
    return;
  }
  const [best] = verdict.standings;
  const member = bestMember(best.group, verdict.measure);
  const [kind, badge, sentence] = sureness(verdict);
  replace(
    byId('answer-body'),
    unfinished(), sweep.warnings.map((warning) => el('p', { class: 'note' }, warning)),
    el('div', { class: 'card answer' },
      el('div', {},
        el('p', { class: 'use' }, chips(member)),
        el('p', { class: 'sure' }, el('b', { class: `badge ${kind}` }, badge), ` ${sentence}`),
        facts(verdict, best),
        otherMeasures(best.group)),
      places(verdict),
      answerPictures(member)),
    afterAnswer(best.group, member),
    notes,
  );
}

function noAnswer() {
  const done = sweep.states.done ?? 0;
  const more = sweep.states.waiting || sweep.states.running;
  if (!done && more) return `No trial is done yet (${statesText()}). What there is is below.`;
  if (!done) return `No trial has a result (${statesText()}). The reasons are below.`;
  return `${counted(done, 'trial')} done, but none has a measure: look at the pictures below.`;
}

function unfinished() {
  const waits = ['waiting', 'running'].filter((name) => sweep.states[name])
    .map((name) => `${sweep.states[name]} ${name}`);
  return waits.length ? el('p', { class: 'note' }, `The answer so far: ${waits.join(' and ')}.`)
    : null;
}

// [class, badge, sentence]
function sureness(verdict) {
  const others = verdict.standings.length - 1;
  const inside = verdict.standings.filter((each) => each.inside).length;
  if (!others) return ['unknown', 'Nothing to compare', 'Only these settings have a result.'];
  if (verdict.pooled === null) {
    return ['unknown', 'Not known how sure', 'Every setting ran with one seed, so a difference '
      + 'may be noise. Add seed=0,1,2 to the command to find out.'];
  }
  if (!inside) {
    return ['clear', 'Clear winner', others === 1 ? 'The other setting is worse by more than noise.'
      : `All ${others} other settings are worse by more than noise.`];
  }
  const rest = others - inside;
  const behind = rest ? `; ${rest === 1 ? 'the last is' : `the ${rest} behind are`} worse by more `
    + 'than noise' : '';
  if (verdict.standings[0].chance >= LIKELY) {
    return ['tie', 'Probably best', `${counted(inside, 'other setting')} cannot be ruled out yet`
      + `${behind}. More seeds would tell.`];
  }
  const tie = `${counted(inside, 'other setting')} cannot be told from it`;
  if (rest) return ['tie', `Tie of ${inside + 1}`, `${tie}${behind}.`];
  return ['tie', others === 1 ? 'Both tie' : `All ${others + 1} tie`, `${tie}: by this measure `
    + 'what varies here makes no difference, or one that takes more seeds to see.'];
}

function facts(verdict, best) {
  const digits = decimalsOf(verdict.measure);
  const spread = best.spread === null ? '' : ` ± ${number(best.spread, digits)}`;
  const rows = [[arrowed(verdict.measure), `${number(best.mean, digits)}${spread}`,
    `mean of ${counted(best.levelled.length, 'seed')}`]];
  if (best.chance !== null && verdict.standings.length > 1) {
    rows.push(['chance of being best', percent(best.chance), 'had all run with endless seeds']);
  }
  if (verdict.floor !== null) {
    rows.push(['noise floor', number(verdict.floor, digits), 'nearer to the best is a tie']);
  }
  return el('dl', { class: 'facts' }, rows.map(([name, value, about]) => el(
    'div', {}, el('dt', {}, name), el('dd', {}, value), el('dd', { class: 'muted' }, about),
  )));
}

// How these settings stand by the other measures: a choice by one number can be a bad one.
function otherMeasures(group) {
  const kinds = { best: [], level: [], worse: [] };
  Object.values(sweep.verdicts).filter(({ measure }) => measure !== state.measure)
    .forEach(({ measure, standings }) => {
      const place = placeOf(measure, group);
      if (!place || standings.length < 2) return;
      kinds[place.rank === 0 ? 'best' : place.inside ? 'level' : 'worse'].push(
        [measure, ` (best: ${groupValues(standings[0].group)})`],
      );
    });
  const known = sweep.verdicts[state.measure].pooled !== null;
  const names = {
    best: 'Best, too, by', level: 'Tied for best by', worse: known ? 'Worse by' : 'Not best by',
  };
  const rows = Object.entries(kinds).filter(([, list]) => list.length).map(([kind, list]) => [
    el('dt', {}, names[kind]),
    el('dd', {}, list.map(([measure, more], k) => [
      k ? ', ' : '',
      el('button', { class: 'link', onclick: () => judgeBy(measure),
        'aria-label': `Judge by ${measure}` }, arrowed(measure)),
      kind === 'worse' ? el('span', { class: 'muted' }, more) : '',
    ])),
  ]);
  const blind = `${state.measure} cannot see ${measureByName[state.measure].blind_to}.`;
  return [
    rows.length ? el('dl', { class: 'others' }, rows) : null,
    el('p', { class: 'muted small' }, `${blind} Look at the pictures, too.`),
  ];
}

function answerPictures(member) {
  const { samples } = trials[member];
  if (!samples.length) return null;
  const last = Math.max(...samples.map((sample) => sample[2]));
  const list = samples.filter((sample) => sample[2] === last)
    .map((sample) => ({ trial: member, sample }));
  return el('div', { class: 'answer-pictures' }, list.slice(0, MOST_ANSWER_PICTURES)
    .map((shot, k) => pictureButton(shot, () => openZoom(list, k))));
}

function afterAnswer(group, member) {
  const trial = trials[member];
  const seeds = pairsOf(member).filter(([axis]) => axis.seed)
    .map(([axis, value]) => `${axisName(axis.name)}=${shown(value)}`).join(' ');
  const which = sweep.groups[group].length > 1 && seeds ? ` (the best of its seeds, ${seeds})` : '';
  return el(
    'div', { class: 'after-answer' },
    retrain(sweep.all_pictures[group]),
    trial.command === null ? null : [
      el('p', {}, `The command of this trial${which}:`),
      codeBlock(trial.command, 'the command of the best trial'),
    ],
    el('p', {}, trial.folder === null ? null : [
      'Its files: ', el('a', { href: href(trial.folder) }, trial.folder), ' ',
    ], el('button', { onclick: () => openDetails(member) }, 'How to use them, and all settings')),
  );
}

// Pictures were kept back to measure with; whoever has chosen wants them trained on.
function retrain(command) {
  const { kept_back: keptBack, brought, known, packaged, asked } = sweep.holdout;
  if (command) {
    const many = known && keptBack ? `${counted(keptBack, 'picture')} of yours` : 'Some pictures';
    const were = known && keptBack === 1 ? 'was' : 'were';
    return [
      el('p', {}, `${many} ${were} kept back to measure val_loss (dataset.holdout=`
        + `${asked.join(', ')}) and not trained on. With these settings, train on all:`),
      codeBlock(command, 'the command that trains on all pictures'),
    ];
  }
  if (packaged && brought) {
    return el('p', { class: 'muted' }, `Measured on ${counted(brought, 'held-out picture')} that `
      + 'the packaged set brings beside those trained on.');
  }
  return asked.length === 1 && asked[0] === '0' ? el('p', { class: 'muted' },
    'All pictures were trained on (dataset.holdout=0), so there is no val_loss.') : null;
}
