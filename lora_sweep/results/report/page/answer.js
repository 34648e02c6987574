// The answer in one look: the best settings, what cannot be told from them, and how sure that is.

const MOST_PLACES = 8;
const MOST_ANSWER_PICTURES = 6;

function startAnswer() {
  const select = byId('measure');
  const names = Object.keys(sweep.verdicts);
  names.forEach((name) => select.append(el(
    'option', { selected: name === state.measure }, `${name} ${arrow(name)}`,
  )));
  select.disabled = names.length < 2;
  select.parentElement.hidden = !names.length;
  select.addEventListener('change', () => {
    state.measure = names[select.selectedIndex];
    emit('measure');
  });
  on('measure', drawAnswer);
  drawAnswer();
}

function drawAnswer() {
  const body = byId('answer-body');
  const notes = sweep.notes.map((note) => el('p', { class: 'note' }, note));
  const verdict = sweep.verdicts[state.measure];
  if (!verdict) {
    replace(body, el('div', { class: 'card' }, el('p', { class: 'lead' }, noAnswer())), notes);
    return;
  }
  const [best] = verdict.standings;
  const member = sweep.groups[best.group].find((k) => trials[k].state === 'done');
  replace(
    body,
    el('div', { class: 'card answer' }, el(
      'div', { class: 'answer-main' },
      el('p', { class: 'use' }, chips(member)),
      el('p', { class: 'sure' }, el('b', { class: `badge ${sureness(verdict)[0]}` }, sureness(verdict)[1]),
        ` ${sureness(verdict)[2]}`),
      facts(verdict, best),
      el('p', { class: 'muted small' }, `${verdict.measure} cannot see ${measureByName[verdict.measure].blind_to}. `,
        'Look at the pictures and the other measures, too.'),
      answerPictures(member),
    ), places(verdict)),
    retrain(best.group, member),
    notes,
  );
}

function noAnswer() {
  const done = sweep.states.done ?? 0;
  if (!done) return `No trial is done yet (${statesText()}). Curves and pictures so far are below.`;
  return `${counted(done, 'trial')} done, but none has a measure: look at the pictures below.`;
}

const statesText = () => Object.entries(sweep.states).map(([name, count]) => `${count} ${name}`).join(', ');

// [class, badge, sentence]
function sureness(verdict) {
  const others = verdict.standings.length - 1;
  const inside = verdict.standings.filter((each) => each.inside).length;
  if (!others) return ['unknown', 'Nothing to compare', 'Only these settings have a result.'];
  if (verdict.pooled === null) {
    return ['unknown', 'Not known how sure', 'Every setting ran with one seed, so a difference may be '
      + 'noise. Add seed=0,1,2 to the command to find out.'];
  }
  if (inside) {
    return ['tie', `Tie of ${inside + 1}`, `${counted(inside, 'other setting')} cannot be told from it: `
      + 'the difference is inside the noise of the seeds.'];
  }
  return ['clear', 'Clear winner', others === 1 ? 'The other setting is worse by more than noise.'
    : `All ${others} other settings are worse by more than noise.`];
}

function facts(verdict, best) {
  const digits = decimalsFor(verdict.standings.map((each) => each.mean));
  const spread = best.spread === null ? '' : ` ± ${number(best.spread, digits)}`;
  const rows = [
    [`${verdict.measure} ${arrow(verdict.measure)}`, `${number(best.mean, digits)}${spread}`,
      `mean of ${counted(best.values.length, 'seed')}`],
  ];
  if (best.chance !== null && verdict.standings.length > 1) {
    rows.push(['chance of being best', percent(best.chance), 'if every setting had endless seeds']);
  }
  if (verdict.floor !== null) {
    rows.push(['noise floor', number(verdict.floor, digits),
      `smaller differences are noise (${verdict.degrees} degrees of freedom)`]);
  }
  return el('dl', { class: 'facts' }, rows.map(([name, value, about]) => el(
    'div', {}, el('dt', {}, name), el('dd', {}, value), el('dd', { class: 'muted' }, about),
  )));
}

function answerPictures(member) {
  const last = Math.max(...trials[member].samples.map((sample) => sample[2]));
  const samples = trials[member].samples.filter((sample) => sample[2] === last);
  if (!samples.length) return null;
  const list = samples.map((sample) => ({ trial: member, sample }));
  return el('div', { class: 'answer-pictures' }, list.slice(0, MOST_ANSWER_PICTURES)
    .map((entry, k) => pictureButton(entry, () => openZoom(list, k))));
}

// One row of dots for each of the best: seeds, their mean, and the band that is noise.
function places(verdict) {
  const top = verdict.standings.slice(0, MOST_PLACES);
  const [best] = top;
  const digits = decimalsFor(top.map((each) => each.mean));
  const edges = top.flatMap((each) => [...each.values, each.mean]);
  if (best.floor !== null) edges.push(best.mean + best.floor, best.mean - best.floor);
  const [low, high] = rangeOf(edges, 0.04);
  const at = linear(low, high, 0, 100);
  const rows = top.map((each, rank) => placeRow(each, rank, best, at, digits));
  const more = verdict.standings.length - top.length;
  return el(
    'div', { class: 'places' },
    el('p', { class: 'muted small' }, `${verdict.measure}, ${verdict.better} is better`
      + `${best.floor === null ? '' : ' · shaded: cannot be told from the best'}`),
    el('ol', {}, rows),
    more ? el('p', { class: 'muted small' }, el('a', { href: '#trials' }, `and ${more} more in the table`)) : null,
  );
}

function placeRow(each, rank, best, at, digits) {
  const percentAt = (value) => `${at(value)}%`;
  const strip = el('div', { class: 'strip', 'aria-hidden': 'true' });
  if (each.floor !== null) {
    strip.append(el('i', { class: 'band', style: {
      left: percentAt(best.mean - each.floor), width: `${at(best.mean + each.floor) - at(best.mean - each.floor)}%`,
    } }));
  }
  each.values.forEach((value) => strip.append(el('i', { class: 'dot', style: { left: percentAt(value) } })));
  strip.append(el('i', { class: 'mean', style: { left: percentAt(each.mean) } }));
  const members = sweep.groups[each.group];
  const mark = rank === 0 ? 'best' : each.inside ? 'inside' : '';
  const chance = each.chance === null ? '' : `, best with a chance of ${percent(each.chance)}`;
  return el(
    'li', { class: mark }, el(
      'button', {
        class: 'place', title: `Open the settings${chance}`,
        onclick: () => openDetails(members[0]),
        onmouseenter: () => setHover(members), onmouseleave: () => setHover([]),
        onfocus: () => setHover(members), onblur: () => setHover([]),
      },
      el('span', { class: 'place-name' }, groupLabel(each.group)),
      el('span', { class: 'place-value' }, number(each.mean, digits),
        each.inside ? el('span', { class: 'hidden-text' }, ' (cannot be told from the best)') : null),
      strip,
    ),
  );
}

function retrain(group, member) {
  const { kept_back: keptBack, brought, known, packaged, asked } = sweep.holdout;
  const all = sweep.all_pictures[group];
  const parts = [];
  if (all) {
    const many = known && keptBack ? `${counted(keptBack, 'picture')} of yours ` : 'Some of your pictures ';
    parts.push(
      el('p', {}, `${many}${known && keptBack === 1 ? 'was' : 'were'} kept back to measure val_loss `
        + `(dataset.holdout=${asked.join(', ')}) and not trained on. With the settings chosen, train on all:`),
      codeBlock(all, 'the command that trains on all pictures'),
    );
  } else if (packaged && brought) {
    parts.push(el('p', { class: 'muted' }, `Measured on ${counted(brought, 'held-out picture')} that the packaged set `
      + 'brings beside those trained on.'));
  } else if (asked.length === 1 && asked[0] === '0') {
    parts.push(el('p', { class: 'muted' }, 'All pictures were trained on (dataset.holdout=0), so there is no val_loss.'));
  }
  const open = el('button', { onclick: () => openDetails(member) }, 'Command, files and all settings');
  return el('div', { class: 'after-answer' }, parts, el('p', {}, open));
}
