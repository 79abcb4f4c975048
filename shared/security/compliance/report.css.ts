/** Of the printable report. Paper has no colours to rely on: every status is said in words. */
export const reportStyle = `
body{font:14px/1.5 system-ui,sans-serif;color:#16191f;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:2px solid #16191f;break-after:avoid}
.score{font-size:2.4rem;font-weight:700}.muted,.id,.controls{color:#4a5568}svg{vertical-align:middle;margin-right:.6rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;overflow-wrap:anywhere}
thead{display:table-header-group}tr{break-inside:avoid}th{border-bottom:1px solid #16191f}tbody tr{border-bottom:1px solid #d5dbdb}
.counts{table-layout:fixed}.counts td{padding-right:1rem}.settled{table-layout:fixed}
.settled th:nth-child(1){width:34%}.settled th:nth-child(2){width:10%}.settled th:nth-child(3){width:26%}
article{border:1px solid #d5dbdb;border-left:6px solid #4a5568;padding:.6rem .9rem;margin:.6rem 0}
article h3,article p{break-inside:avoid;break-after:avoid}article .controls{break-after:auto;break-before:avoid}
article.fail{border-left-color:#d91515}article.unknown{border-left-color:#8d6605}article.waived{border-left-color:#0972d3}
h3{font-size:1rem;margin:0}.id{font-size:.8rem;font-family:ui-monospace,monospace}
.label{font-size:.75rem;text-transform:uppercase;letter-spacing:.04em;border:1px solid;border-radius:3px;padding:0 .35rem}
p{margin:.3rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.5rem;margin:.4rem 0;font-size:.8rem}
.controls{font-size:.75rem}
@page{margin:16mm 14mm}
@media print{body{margin:0;padding:0;max-width:none;font-size:11px}a{color:inherit;text-decoration:none}
pre{border:1px solid #d5dbdb;background:none}article,pre{print-color-adjust:exact}}`;
