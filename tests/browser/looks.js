/* The elements to look at for the contrast of their text: of those that look alike, one is as good as all.

Alike are two whose text has the same colour and size, on the same backgrounds all the way down. That holds only where
a text lies on what it is in: whatever is positioned, or reaches beyond the box that it lies on, is looked at itself. */
(() => {
    const OF_TEXT = ['color', 'font-size', 'font-weight', 'text-shadow', '-webkit-text-fill-color',
        '-webkit-text-stroke', 'visibility'];
    const OF_GROUND = ['background-color', 'background-image', 'background-clip', 'opacity', 'mix-blend-mode',
        'filter', 'clip-path', 'display'];
    const FREE = ['absolute', 'fixed', 'sticky'];
    const DISABLED = ':disabled, [aria-disabled="true"]';
    const known = new Map();

    const values = (style, names) => names.map(name => style.getPropertyValue(name)).join(';');

    const isPainted = style =>
        style.backgroundImage !== 'none' || !/, 0\)$|\/ 0\)$|^transparent$/.test(style.backgroundColor);

    function ground(element) {
        if (!element) return {look: '', isFree: false, box: null};
        if (!known.has(element)) known.set(element, groundOf(element));
        return known.get(element);
    }

    function groundOf(element) {
        const style = getComputedStyle(element);
        const below = ground(element.parentElement);
        const ornaments = ['::before', '::after'].map(name => getComputedStyle(element, name))
            .map(each => each.content === 'none' ? '' : values(each, [...OF_GROUND, 'position', 'width', 'height']));
        return {
            look: [below.look, element.matches(DISABLED), values(style, OF_GROUND), ...ornaments].join('|'),
            isFree: below.isFree || FREE.includes(style.position),
            box: isPainted(style) ? element : below.box,
        };
    }

    function reachesBeyond(element, box) {
        if (!box || box === document.body || box === document.documentElement) return false;
        const range = document.createRange();
        range.selectNodeContents(element);
        const [text, ...grounds] = [range, box].map(each => each.getBoundingClientRect());
        return grounds.some(each => text.left < each.left - 1 || text.right > each.right + 1
            || text.top < each.top - 1 || text.bottom > each.bottom + 1);
    }

    const hasText = element => element.value || element.placeholder
        || [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());

    const isNameOfAnother = element => element.closest('[id]')
        && document.querySelector(`[aria-labelledby~="${CSS.escape(element.closest('[id]').id)}"]`);

    // What axe itself makes a difference of: it knows controls, signs and single letters that need no contrast.
    function kind(element) {
        const words = String(element.value ?? element.textContent).trim(); // the value of an <li> is a number
        const control = element.closest('label')?.control;
        return [element.localName, element.type, element.className, element.role, Boolean(control?.matches(DISABLED)),
            element.checkVisibility({visibilityProperty: true}), words.length > 1, /[\p{L}\p{N}]/u.test(words)].join();
    }

    function look(element, number) {
        const {look, isFree, box} = ground(element);
        if (isFree || reachesBeyond(element, box) || isNameOfAnother(element)) return number;
        return [kind(element), values(getComputedStyle(element), OF_TEXT), look].join('|');
    }

    const texts = [...document.body.querySelectorAll('*')].filter(hasText);
    return [...new Map(texts.map((element, number) => [look(element, number), element])).values()];
})()
