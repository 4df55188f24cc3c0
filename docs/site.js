// What the theme adds to a page while it is read: a wide table can be scrolled by keys, and each copy button has a name.
const mended = () => {
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) wide.tabIndex = 0;
  document.querySelectorAll("nav.md-code__nav").forEach((nav, number) => {
    if (!nav.hasAttribute("aria-label")) nav.setAttribute("aria-label", `Code ${number + 1}`);
  });
};
new MutationObserver(mended).observe(document.body, { childList: true, subtree: true });
mended();
