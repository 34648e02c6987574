// Elements. Text from settings, captions and names goes in as text nodes alone, never as markup.

const byId = (id) => document.getElementById(id);
const present = (children) => children.flat(Infinity)
  .filter((child) => child !== null && child !== undefined);

// el('button', {class: 'x', onclick: f, 'aria-label': 'y'}, 'text', node, ...)
function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'style') Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...present(children));
  return node;
}

const replace = (node, ...children) => node.replaceChildren(...present(children));

function choice(label, options, chosen, onchange) {
  const select = el('select', { onchange: () => onchange(options[select.selectedIndex].value) });
  options.forEach(({ text, value }) => {
    select.append(el('option', { selected: value === chosen }, text));
  });
  return el('label', {}, `${label} `, select);
}

function tick(label, checked, onchange) {
  const box = el('input', { type: 'checkbox', onchange: () => onchange(box.checked) });
  box.checked = checked;
  return el('label', { class: 'tick' }, box, ` ${label}`);
}

// A command or code, to be read and copied.
function codeBlock(text, label) {
  const code = el('code', {}, text);
  const button = el('button', { class: 'copy', 'aria-label': `Copy ${label}` }, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  return el('div', { class: 'code' }, el('pre', { tabindex: 0 }, code), button);
}

// What is wider than its place is scrolled there; a faded edge says that there is more.
function scroller(label, ...children) {
  const node = el(
    'div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': label }, ...children,
  );
  watchOverflow(node);
  return node;
}

function watchOverflow(node) {
  const update = () => {
    const more = node.scrollWidth - node.clientWidth - node.scrollLeft > 4;
    node.classList.toggle('more', more);
  };
  node.addEventListener('scroll', update, { passive: true });
  new ResizeObserver(update).observe(node);
  new MutationObserver(update).observe(node, { childList: true, subtree: true });
}
