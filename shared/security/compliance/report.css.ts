/** Of the printable report. Paper has no colours to rely on: every status is said in words. */
export const reportStyle = `
body{font:14px/1.5 system-ui,sans-serif;color:#16191f;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1em}
h1{font-size:1.6em;margin:0}h2{font-size:1.15em;margin:2em 0 .5em;border-bottom:2px solid #16191f;break-after:avoid}
.score{font-size:2.4em;font-weight:700}.muted,.id,.controls{color:#4a5568}svg{vertical-align:middle;margin-right:.6em}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .6em .3em 0;overflow-wrap:anywhere}
thead{display:table-header-group}tr{break-inside:avoid}th{border-bottom:1px solid #16191f}tbody tr{border-bottom:1px solid #d5dbdb}
.counts{table-layout:fixed}.counts td{padding-right:1em}.settled{table-layout:fixed}
.settled th:nth-child(1){width:30%}.settled th:nth-child(2){width:10%}.settled th:nth-child(3){width:23%}
article{border:1px solid #d5dbdb;border-left:6px solid #4a5568;padding:.6em .9em;margin:.6em 0}
article h3,article p{break-inside:avoid;break-after:avoid}article .controls{break-after:auto;break-before:avoid}
article.fail{border-left-color:#d91515}article.unknown{border-left-color:#8d6605}article.waived{border-left-color:#0972d3}
h3{font-size:1em;margin:0}.id{font-size:.8em;font-family:ui-monospace,monospace}
.label{font-size:.75em;text-transform:uppercase;letter-spacing:.04em;border:1px solid;border-radius:3px;padding:0 .35em}
p{margin:.3em 0}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.5em;margin:.4em 0;font-size:.8em}
.controls{font-size:.75em}
@page{margin:16mm 14mm}
@media print{body{margin:0;padding:0;max-width:none;font-size:11px}a{color:inherit;text-decoration:none}
pre{border:1px solid #d5dbdb;background:none}article,pre{print-color-adjust:exact}}`;
