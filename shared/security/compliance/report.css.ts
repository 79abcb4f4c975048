/** Of the printable report. Paper has no colours to rely on: every status is said in words. */
export const reportStyle = `
body{font:14px/1.5 system-ui,sans-serif;color:#16191f;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:2px solid #16191f}
.score{font-size:2.4rem;font-weight:700}.muted{color:#5f6b7a}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0}
.counts td{padding-right:2rem}
article{border:1px solid #d5dbdb;border-left:6px solid #5f6b7a;padding:.6rem .9rem;margin:.6rem 0;break-inside:avoid}
article.fail{border-left-color:#d91515}article.unknown{border-left-color:#8d6605}article.pass{border-left-color:#037f0c}
article.waived{border-left-color:#0972d3}h3{font-size:1rem;margin:0}
.label{font-size:.75rem;text-transform:uppercase;letter-spacing:.04em;border:1px solid;border-radius:3px;padding:0 .35rem}
p{margin:.3rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.5rem;margin:.4rem 0;font-size:.8rem}
.controls{font-size:.75rem;color:#5f6b7a}
@media print{body{margin:0;max-width:none;font-size:11px}a{color:inherit;text-decoration:none}}`;
