import type { Framework } from '../../contract/schemas/compliance.ts';

/** Where the numbers of controls come from. */
export const frameworks = {
  CIS: {
    title: 'CIS PostgreSQL 16 Benchmark v1.0.0',
    source: 'https://www.cisecurity.org/benchmark/postgresql',
  },
  'SOC 2': {
    title: 'AICPA Trust Services Criteria 2017, with the points of focus of 2022',
    source:
      'https://www.aicpa-cima.com/resources/download/2017-trust-services-criteria-with-revised-points-of-focus-2022',
  },
  'ISO 27001': {
    title: 'ISO/IEC 27001:2022, Annex A',
    source: 'https://www.iso.org/standard/27001',
  },
  GDPR: { title: 'Regulation (EU) 2016/679', source: 'https://eur-lex.europa.eu/eli/reg/2016/679/oj' },
  HIPAA: {
    title: 'HIPAA Security Rule, 45 CFR Part 164 Subpart C',
    source: 'https://www.ecfr.gov/current/title-45/subtitle-A/subchapter-C/part-164/subpart-C',
  },
  'PCI DSS': {
    title: 'PCI DSS v4.0',
    source: 'https://www.pcisecuritystandards.org/document_library/?document=pci_dss',
  },
} as const satisfies Record<Framework, { title: string; source: string }>;

/** Numbers of controls by framework. */
export type Controls = Readonly<Partial<Record<Framework, readonly string[]>>>;

/** What the rules of one kind map to; see {@link frameworks} for the sources. CIS has a number of its own for each rule. */
const topics = {
  transit: {
    'SOC 2': ['CC6.1', 'CC6.7'],
    'ISO 27001': ['A.8.20', 'A.8.24'],
    GDPR: ['Art. 32(1)(a)'],
    HIPAA: ['164.312(e)(1)', '164.312(e)(2)(ii)'],
    'PCI DSS': ['2.2.7', '4.2.1'],
  },
  passwords: {
    'SOC 2': ['CC6.1'],
    'ISO 27001': ['A.5.17', 'A.8.5'],
    GDPR: ['Art. 32(1)(b)'],
    HIPAA: ['164.308(a)(5)(ii)(D)', '164.312(d)'],
    'PCI DSS': ['8.3.2', '8.3.6', '8.3.9'],
  },
  authentication: {
    'SOC 2': ['CC6.1', 'CC6.6'],
    'ISO 27001': ['A.5.15', 'A.8.5', 'A.8.20'],
    GDPR: ['Art. 32(1)(b)'],
    HIPAA: ['164.312(a)(1)', '164.312(d)'],
    'PCI DSS': ['1.4.4', '8.3.1'],
  },
  privilege: {
    'SOC 2': ['CC6.1', 'CC6.3'],
    'ISO 27001': ['A.5.15', 'A.5.18', 'A.8.2', 'A.8.3'],
    GDPR: ['Art. 25(2)', 'Art. 32(1)(b)'],
    HIPAA: ['164.308(a)(4)(ii)(C)', '164.312(a)(1)'],
    'PCI DSS': ['7.2.1', '7.2.2', '7.2.5'],
  },
  unused: {
    'SOC 2': ['CC6.2', 'CC6.3'],
    'ISO 27001': ['A.5.16', 'A.5.18'],
    GDPR: ['Art. 25(2)'],
    HIPAA: ['164.308(a)(3)(ii)(C)'],
    'PCI DSS': ['7.2.4', '8.2.6'],
  },
  logging: {
    'SOC 2': ['CC7.2'],
    'ISO 27001': ['A.8.15', 'A.8.16'],
    GDPR: ['Art. 5(2)', 'Art. 33'],
    HIPAA: ['164.312(b)'],
    'PCI DSS': ['10.2.1', '10.2.2'],
  },
  secrecyOfLogs: {
    'SOC 2': ['CC6.1', 'CC7.2'],
    'ISO 27001': ['A.8.12', 'A.8.15'],
    GDPR: ['Art. 5(1)(c)', 'Art. 32(1)(b)'],
    HIPAA: ['164.312(a)(1)', '164.312(b)'],
    'PCI DSS': ['3.3.1', '10.3.1'],
  },
  code: {
    'SOC 2': ['CC6.1', 'CC6.8'],
    'ISO 27001': ['A.8.2', 'A.8.28'],
    GDPR: ['Art. 32(1)(b)'],
    HIPAA: ['164.312(a)(1)'],
    'PCI DSS': ['6.2.4', '7.2.1'],
  },
  software: {
    'SOC 2': ['CC6.8', 'CC7.1'],
    'ISO 27001': ['A.8.8', 'A.8.19'],
    GDPR: ['Art. 32(1)(d)'],
    HIPAA: ['164.308(a)(5)(ii)(B)'],
    'PCI DSS': ['2.2.4', '6.3.3'],
  },
  settings: {
    'SOC 2': ['CC6.6', 'CC7.1'],
    'ISO 27001': ['A.8.9'],
    GDPR: ['Art. 32(1)(b)'],
    HIPAA: ['164.312(c)(1)'],
    'PCI DSS': ['2.2.1', '2.2.6'],
  },
  sessions: {
    'SOC 2': ['CC6.1', 'A1.1'],
    'ISO 27001': ['A.8.5', 'A.8.6'],
    GDPR: ['Art. 32(1)(b)'],
    HIPAA: ['164.312(a)(2)(iii)'],
    'PCI DSS': ['8.2.8'],
  },
  storage: {
    'SOC 2': ['CC6.1', 'CC6.7'],
    'ISO 27001': ['A.8.24'],
    GDPR: ['Art. 32(1)(a)'],
    HIPAA: ['164.312(a)(2)(iv)'],
    'PCI DSS': ['3.5.1'],
  },
  exposure: {
    'SOC 2': ['CC6.1', 'CC6.6'],
    'ISO 27001': ['A.8.3', 'A.8.20'],
    GDPR: ['Art. 25(2)', 'Art. 32(1)(b)'],
    HIPAA: ['164.312(a)(1)'],
    'PCI DSS': ['1.3.1', '1.4.4'],
  },
  keys: {
    'SOC 2': ['CC6.1'],
    'ISO 27001': ['A.5.17', 'A.8.24'],
    GDPR: ['Art. 32(1)(a)'],
    HIPAA: ['164.312(a)(2)(iv)'],
    'PCI DSS': ['3.7.4', '8.6.3'],
  },
  recovery: {
    'SOC 2': ['A1.2', 'A1.3'],
    'ISO 27001': ['A.8.13'],
    GDPR: ['Art. 32(1)(c)', 'Art. 32(1)(d)'],
    HIPAA: ['164.308(a)(7)(ii)(A)', '164.308(a)(7)(ii)(D)'],
    'PCI DSS': ['9.4.1.1', '12.10.1'],
  },
  audit: {
    'SOC 2': ['CC7.2', 'CC7.3'],
    'ISO 27001': ['A.5.28', 'A.8.15'],
    GDPR: ['Art. 5(2)'],
    HIPAA: ['164.312(b)', '164.312(c)(1)'],
    'PCI DSS': ['10.3.2', '10.3.4', '10.5.1'],
  },
} as const satisfies Record<string, Controls>;

/**
 * The controls of a rule.
 *
 * @param cis - its numbers in the CIS benchmark; none where the benchmark has no such recommendation
 */
export function controlsOf(topic: keyof typeof topics, ...cis: string[]): Controls {
  return cis.length === 0 ? topics[topic] : { CIS: cis, ...topics[topic] };
}
