/** The style of the documentation page; its hash is the only one that the page's security policy lets in. */
export const pageCss = `
:root { color-scheme: light dark;
  --text: light-dark(#16191f, #e9ebed); --quiet: light-dark(#545b64, #a3acb7); --line: light-dark(#d5dbdb, #414d5c);
  --page: light-dark(#fff, #0f1b2a); --panel: light-dark(#f4f6f8, #172536); --link: light-dark(#0b5cad, #79b8ff);
  --get: light-dark(#1a5fb4, #8ec5ff); --post: light-dark(#1d6b2c, #7ee787); --put: light-dark(#8a5300, #f2c166); --delete: light-dark(#b3261e, #ff9a92); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; color: var(--text); background: var(--page); font: 1rem/1.55 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem 1rem; z-index: 1; }
.layout { display: grid; grid-template-columns: minmax(13rem, 17rem) minmax(0, 60rem); gap: 2.5rem; max-width: 84rem; margin: 0 auto; padding: 0 1.5rem; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 2rem 0; font-size: .92rem; }
nav h2 { font-size: .8rem; margin: 1.2rem 0 .3rem; color: var(--quiet); text-transform: uppercase; letter-spacing: .05em; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .2rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
main { padding: 2rem 0 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 1rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 0 0 .5rem; }
h4 { font-size: .95rem; margin: 1.4rem 0 .4rem; }
article { border: 1px solid var(--line); border-radius: .6rem; padding: 1.2rem 1.4rem; margin: 1.2rem 0; }
.path { display: flex; flex-wrap: wrap; gap: .6rem; align-items: baseline; margin: 0 0 .6rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.method { font-weight: 700; padding: .05rem .5rem; border-radius: .3rem; border: 1.5px solid currentcolor; font-size: .85rem; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); } .delete { color: var(--delete); }
.role { margin-left: auto; font: .85rem system-ui, sans-serif; color: var(--quiet); }
code { font: .9em ui-monospace, monospace; background: var(--panel); border-radius: .25rem; padding: .05rem .25rem; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; overflow: auto; margin: .4rem 0; }
pre code { background: none; padding: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding: .8rem 0 .3rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } tbody th { font-weight: 400; white-space: nowrap; }
small { color: var(--quiet); } .required { color: var(--delete); }
p { margin: .4rem 0; }
@media (max-width: 55rem) { .layout { display: block; } nav { position: static; max-height: none; padding-bottom: 0; } tbody th { white-space: normal; } }
@media print { nav { display: none; } .layout { display: block; } article { break-inside: avoid; } }
`;
