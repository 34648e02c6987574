// The one tooltip: beside the pointer, inside the window.

const tip = {
  show(event, ...children) {
    const node = byId('tip');
    replace(node, ...children);
    node.hidden = false;
    const room = document.documentElement;
    const x = Math.min(event.clientX + 14, room.clientWidth - node.offsetWidth - 8);
    const below = event.clientY + 16 + node.offsetHeight < room.clientHeight;
    const y = below ? event.clientY + 16 : event.clientY - node.offsetHeight - 12;
    Object.assign(node.style, { left: `${Math.max(8, x)}px`, top: `${Math.max(8, y)}px` });
  },
  hide() { byId('tip').hidden = true; },
};
