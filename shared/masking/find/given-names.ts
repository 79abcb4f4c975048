/** Given names that many people have, in several languages: where words of a column often begin with one, it holds names of persons. */
const GIVEN_NAMES = new Set(
  (
    'aaron abigail adam adrian agnes ahmed aisha alan albert alejandro alex alexander alexandra alice alicia amanda amelia amy ana andrea ' +
    'andreas andrew angela anita ann anna anne anthony antonio arthur ashley barbara beatrice benjamin bernard betty beverly bob brandon brenda ' +
    'brian bruce camille carl carla carlos carmen carol caroline catherine charles charlotte chen cheryl chloe chris christian christina christine ' +
    'christopher claire clara claudia cynthia daniel daniela david deborah denise dennis diana diane diego dmitri donald donna dorothy douglas dylan ' +
    'edward elena elizabeth ella ellen emily emma eric erika ethan eva evelyn fatima felix fernando fiona florian frances francesco francisco frank ' +
    'franz gabriel gary george georg gerald giulia giovanni gloria grace gregory hanna hannah hans harold heather helen helena henry howard hugo ian ' +
    'ibrahim ingrid irene isabel isabella ivan jack jacob jacqueline james jan jane janet janice jason jean jeffrey jennifer jeremy jerry jessica jesus ' +
    'jim joan joe johanna john jonathan jorge jose joseph joshua josef juan judith julia julian julie jun karen karl kathleen katharina katherine kathryn ' +
    'kelly kenneth kevin kim klaus kyle larry laura lauren lawrence leah lee leo leon leonard li lian lin linda lisa lorenzo louis louise lucas lucia lucy ' +
    'luis luisa luke madison manuel marcel marco margaret maria marie marilyn mario marion mark markus marta martha martin mary matteo matthew mei melissa ' +
    'michael michaela michel michelle miguel mohamed mohammed monica nancy natalia natalie natasha nathan nicholas nicola nicole nina noah noor olga oliver ' +
    'olivia oscar otto pablo pamela patricia patrick paul paula paulo pedro peter petra philip pierre rachel ralph ramon raymond rebecca renate ricardo ' +
    'richard robert roberto roger roland rosa rose roy russell ruth ryan samantha samuel sandra sara sarah sean sebastian sergio sharon shirley simon sofia ' +
    'sonia sophia sophie stefan stephanie stephen steven susan susanne sven sylvia tanja tatiana teresa terry theresa thomas tim timothy tom tyler ursula ' +
    'valentina vanessa vera veronica victor victoria vincent virginia vladimir walter wanda wei wendy werner william wolfgang yan yuki yusuf zoe'
  ).split(' '),
);

/** Whether a text begins, or after a comma goes on, with a given name. */
export function hasGivenName(text: string): boolean {
  const [first = '', ...rest] = text.toLowerCase().split(/[\s,.]+/, 4);
  return GIVEN_NAMES.has(first) || (text.includes(',') && rest.some((word) => GIVEN_NAMES.has(word)));
}
