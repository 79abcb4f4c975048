/**
 * Names that nobody has, as far as one can know: made of syllables, so that a masked name is never the name of a person by intent.
 * Each list has 32 entries.
 */
const list = (text: string): Buffer[] => text.split(' ').map((word) => Buffer.from(word));

export const givenStarts = list(
  'Al Be Ca Da El Fa Ga Ha Il Jo Ka La Ma Na Or Pe Qui Ra Sa Te Ul Va Wi Xe Yo Za Bri Cle Dro Fre Gri Tho',
);
export const givenEnds = list(
  'bela brin cora dell dine fina gard gora hilde jan kira lenn lia lora mira mund nella nora pold rick rina sandra sia tara thea tine vin vira wen xia zella zo',
);
export const familyStarts = list(
  'Ald Bran Crom Dorn Esk Fenn Grim Holl Ister Jarn Kell Lorn Marr Nord Osk Pell Quill Rusk Sarn Torv Ulm Vern Wex Yarr Zell Blen Crest Drav Flint Gorm Strand Thorn',
);
export const familyEnds = list(
  'ack alder amore anti berg borne brook dale den elli enko eroy feld fold gate grave holt ides ini ling lund moor nack oyd quist ridge sby stad thwait ury vik wold',
);
export const streetKinds = list(
  'Street Road Lane Avenue Way Close Court Drive Alley Mews Walk Rise Grove Row Square Place Terrace Gate Hill Park Path View Yard Green Bank Ring Wharf Passage Circle Crescent Parade Loop',
);
export const townEnds = list(
  'bach beck berg bridge burgh by cester combe dale don dorf feld field fleet ford ham haven heim hurst ley mere minster mouth ness port stead stedt stow ton ville wick worth',
);
