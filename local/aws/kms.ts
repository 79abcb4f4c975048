import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { encryptionContext } from '../iam/access.ts';
import type { AccessRequest } from '../iam/evaluate.ts';
import type { StateDisk } from '../state-disk.ts';
import { localAccount, localArn } from './account.ts';
import { AwsError } from './errors.ts';
import { type JsonService, operation } from './json-service.ts';
import * as material from './kms-material.ts';
import { openStateFile } from './state-file.ts';

type Key = {
  id: string;
  description: string;
  spec: material.KeySpec;
  usage: string;
  state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  createdAt: number;
  deletionAt: number | null;
  rotation: boolean;
  policy: string | null;
  /** Of a key outside the endpoints' own region. */
  region?: string;
  /** Of a multi-Region key: where its primary is. Its replicas have the same id and material. */
  primaryRegion?: string;
  /** Base64; never leaves this file but through `openStateFile`. */
  material: string;
};

/** Keys by their id; those of other regions by the region and id. */
type State = { keys: Record<string, Key>; aliases: Record<string, string> };

export type NewKey = {
  keyId?: string;
  description?: string;
  keySpec?: material.KeySpec;
  keyUsage?: string;
  rotation?: boolean;
  alias?: string;
  multiRegion?: boolean;
};

export type LocalKms = {
  service: JsonService;
  /** Makes a key with a wanted id, or finds it when it is there already; gives its ARN. */
  createKey(wanted?: NewKey): Promise<string>;
  close(): Promise<void>;
};

const blob = z.base64().transform((text) => Buffer.from(text, 'base64'));
const context = z.record(z.string(), z.string()).default({});
export const keySpecs = [
  'SYMMETRIC_DEFAULT',
  'HMAC_224',
  'HMAC_256',
  'HMAC_384',
  'HMAC_512',
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
] as const;
const keyId = z.object({ KeyId: z.string().min(1) });
const primaryKeyId = keyId.extend({ ReplicaRegion: z.string().min(1), Description: z.string().default('') });
const dataKey = keyId.extend({
  EncryptionContext: context,
  KeySpec: z.enum(['AES_256', 'AES_128']).optional(),
  NumberOfBytes: z.int().min(1).max(1024).optional(),
});
const signing = keyId.extend({
  Message: blob,
  SigningAlgorithm: z.string(),
  MessageType: z.literal('RAW').default('RAW'),
});
/** What the rights to a call depend on. */
const anyCall = z.looseObject({
  KeyId: z.string().optional(),
  CiphertextBlob: blob.optional(),
  EncryptionContext: context,
  SourceEncryptionContext: context,
  DestinationKeyId: z.string().optional(),
  DestinationEncryptionContext: context,
  MacAlgorithm: z.string().optional(),
});
const macing = keyId.extend({ Message: blob, MacAlgorithm: z.string() });

/** AWS KMS with real AES-256-GCM, HMAC, RSA and elliptic-curve keys, kept in one file that only its owner can read. */
export async function openKms(stateFolder: string, disk: StateDisk): Promise<LocalKms> {
  const file = await openStateFile<State>(join(stateFolder, 'kms.json'), { keys: {}, aliases: {} }, disk);
  const { keys, aliases } = file.value;

  const arnOf = (key: Key) => localArn('kms', `key/${key.id}`, key.region);
  const slotOf = (id: string, region: string) => (region === localAccount.region ? id : `${region}/${id}`);

  function findKey(reference: string, region: string): Key {
    const [, at] = /^arn:[^:]*:kms:([^:]*):/.exec(reference) ?? [];
    if (at !== undefined && at !== region) throw new AwsError('NotFoundException', `Invalid arn ${at}`);
    const name = reference.replace(/^arn:[^:]*:kms:[^:]*:[^:]*:/, '').replace(/^key\//, '');
    const isAlias = name.startsWith('alias/');
    const key =
      isAlias && region !== localAccount.region
        ? undefined
        : keys[isAlias ? (aliases[name] ?? '') : slotOf(name, region)];
    if (!key) throw new AwsError('NotFoundException', `Key '${reference}' does not exist`);
    return key;
  }

  function usableKey(reference: string, usage: string, region: string): Key {
    const key = findKey(reference, region);
    if (key.state === 'PendingDeletion')
      throw new AwsError('KMSInvalidStateException', `${arnOf(key)} is pending deletion.`);
    if (key.state === 'Disabled') throw new AwsError('DisabledException', `${arnOf(key)} is disabled.`);
    if (key.usage !== usage) throw new AwsError('InvalidKeyUsageException', `${arnOf(key)} key usage is ${key.usage}.`);
    return key;
  }

  /** The primary and the replicas of a multi-Region key. */
  function relatives(key: Key): object {
    const described = (one: Key) => ({ Arn: arnOf(one), Region: one.region ?? localAccount.region });
    const all = Object.values(keys).filter(({ id }) => id === key.id);
    const isPrimary = ({ region, primaryRegion }: Key) => primaryRegion === (region ?? localAccount.region);
    const [primary] = all.filter(isPrimary);
    return {
      MultiRegionKeyType: isPrimary(key) ? 'PRIMARY' : 'REPLICA',
      ...(primary ? { PrimaryKey: described(primary) } : {}),
      ReplicaKeys: all.filter((one) => !isPrimary(one)).map(described),
    };
  }

  async function replicate(reference: string, replica: string, description: string, region: string): Promise<Key> {
    // An alias would name the key only where it is an alias.
    if (reference.includes('alias/'))
      throw new AwsError('InvalidArnException', `${reference} is not a key id or key ARN`);
    const primary = usableKey(reference, findKey(reference, region).usage, region);
    if (primary.primaryRegion !== region)
      throw new AwsError('UnsupportedOperationException', `${arnOf(primary)} is not a multi-Region primary key.`);
    const slot = slotOf(primary.id, replica);
    if (keys[slot]) throw new AwsError('AlreadyExistsException', `${primary.id} exists in ${replica} already`);
    const key: Key = { ...primary, region: replica, description, createdAt: Date.now(), policy: null };
    keys[slot] = key;
    await file.save();
    return key;
  }

  const describe = (key: Key) => ({
    AWSAccountId: localAccount.accountId,
    KeyId: key.id,
    Arn: arnOf(key),
    CreationDate: key.createdAt / 1000,
    Enabled: key.state === 'Enabled',
    Description: key.description,
    KeyUsage: key.usage,
    KeyState: key.state,
    ...(key.deletionAt === null ? {} : { DeletionDate: key.deletionAt / 1000 }),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    KeySpec: key.spec,
    CustomerMasterKeySpec: key.spec,
    MultiRegion: key.primaryRegion !== undefined,
    ...(key.primaryRegion === undefined ? {} : { MultiRegionConfiguration: relatives(key) }),
    ...(key.spec === 'SYMMETRIC_DEFAULT' ? { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] } : {}),
  });

  async function newKey({
    multiRegion = false,
    keyId: id = multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID(),
    description = '',
    keySpec = 'SYMMETRIC_DEFAULT',
    keyUsage,
    rotation = false,
    alias,
    region = localAccount.region,
  }: NewKey & { region?: string }): Promise<Key> {
    const usage =
      keyUsage ??
      (keySpec === 'SYMMETRIC_DEFAULT'
        ? 'ENCRYPT_DECRYPT'
        : keySpec.startsWith('HMAC')
          ? 'GENERATE_VERIFY_MAC'
          : 'SIGN_VERIFY');
    const key: Key = {
      id,
      description,
      spec: keySpec,
      usage,
      rotation,
      state: 'Enabled',
      createdAt: Date.now(),
      deletionAt: null,
      policy: null,
      material: material.newMaterial(keySpec),
      ...(region === localAccount.region ? {} : { region }),
      ...(multiRegion ? { primaryRegion: region } : {}),
    };
    keys[slotOf(id, region)] = key;
    if (alias) aliases[alias] = id;
    await file.save();
    return key;
  }

  async function change(reference: string, region: string, changes: Partial<Key>): Promise<undefined> {
    Object.assign(findKey(reference, region), changes);
    await file.save();
  }

  function newDataKey(input: z.output<typeof dataKey>, region: string) {
    const key = usableKey(input.KeyId, 'ENCRYPT_DECRYPT', region);
    const plaintext = randomBytes(input.NumberOfBytes ?? (input.KeySpec === 'AES_128' ? 16 : 32));
    const sealed = material.seal(key.id, key.material, plaintext, input.EncryptionContext);
    return { KeyId: arnOf(key), CiphertextBlob: sealed.toString('base64'), Plaintext: plaintext.toString('base64') };
  }

  function open(
    sealed: Buffer,
    encryptionContext: material.EncryptionContext,
    expected: string | undefined,
    region: string,
  ) {
    const id = material.keyIdOf(sealed);
    if (!keys[slotOf(id, region)])
      throw new AwsError('InvalidCiphertextException', 'The ciphertext refers to a key that does not exist');
    const key = usableKey(id, 'ENCRYPT_DECRYPT', region);
    if (expected !== undefined && findKey(expected, region) !== key) {
      throw new AwsError(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      );
    }
    return { key, plaintext: material.unseal(sealed, key.material, encryptionContext) };
  }

  const operations: JsonService['operations'] = {
    CreateKey: operation(
      z.object({
        Description: z.string().optional(),
        KeySpec: z.enum(keySpecs).default('SYMMETRIC_DEFAULT'),
        KeyUsage: z.string().optional(),
        MultiRegion: z.boolean().default(false),
      }),
      async ({ Description: description = '', KeySpec: keySpec, KeyUsage: keyUsage, MultiRegion }, region) => {
        const wanted = { description, keySpec, multiRegion: MultiRegion, region, ...(keyUsage ? { keyUsage } : {}) };
        return { KeyMetadata: describe(await newKey(wanted)) };
      },
    ),
    ReplicateKey: operation(primaryKeyId, async ({ KeyId, ReplicaRegion, Description }, region) => ({
      ReplicaKeyMetadata: describe(await replicate(KeyId, ReplicaRegion, Description, region)),
    })),
    DescribeKey: operation(keyId, ({ KeyId }, region) => ({ KeyMetadata: describe(findKey(KeyId, region)) })),
    ListKeys: (_, at) => ({
      Keys: Object.values(keys)
        .filter(({ region = localAccount.region }) => region === at)
        .map((key) => ({ KeyId: key.id, KeyArn: arnOf(key) })),
      Truncated: false,
    }),
    CreateAlias: operation(
      z.object({ AliasName: z.string().startsWith('alias/'), TargetKeyId: z.string() }),
      async ({ AliasName, TargetKeyId }, region) => {
        if (aliases[AliasName])
          throw new AwsError('AlreadyExistsException', `An alias with the name ${AliasName} already exists`);
        aliases[AliasName] = findKey(TargetKeyId, region).id;
        await file.save();
        return undefined;
      },
    ),
    DeleteAlias: operation(z.object({ AliasName: z.string() }), async ({ AliasName }) => {
      if (!aliases[AliasName]) throw new AwsError('NotFoundException', `Alias ${AliasName} is not found.`);
      delete aliases[AliasName];
      await file.save();
      return undefined;
    }),
    ListAliases: () => ({
      Aliases: Object.entries(aliases).map(([name, id]) => ({
        AliasName: name,
        AliasArn: localArn('kms', name),
        TargetKeyId: id,
      })),
      Truncated: false,
    }),
    EnableKey: operation(keyId, ({ KeyId }, region) => change(KeyId, region, { state: 'Enabled' })),
    DisableKey: operation(keyId, ({ KeyId }, region) => change(KeyId, region, { state: 'Disabled' })),
    EnableKeyRotation: operation(keyId, ({ KeyId }, region) => change(KeyId, region, { rotation: true })),
    DisableKeyRotation: operation(keyId, ({ KeyId }, region) => change(KeyId, region, { rotation: false })),
    GetKeyRotationStatus: operation(keyId, ({ KeyId }, region) => ({
      KeyRotationEnabled: findKey(KeyId, region).rotation,
    })),
    GetKeyPolicy: operation(keyId, ({ KeyId }, region) => ({
      Policy: findKey(KeyId, region).policy ?? '{}',
      PolicyName: 'default',
    })),
    PutKeyPolicy: operation(keyId.extend({ Policy: z.string() }), ({ KeyId, Policy }, region) =>
      change(KeyId, region, { policy: Policy }),
    ),
    ScheduleKeyDeletion: operation(
      keyId.extend({ PendingWindowInDays: z.int().min(7).max(30).default(30) }),
      async (input, region) => {
        const deletionAt = Date.now() + input.PendingWindowInDays * 86_400_000;
        await change(input.KeyId, region, { state: 'PendingDeletion', deletionAt });
        return {
          KeyId: arnOf(findKey(input.KeyId, region)),
          DeletionDate: deletionAt / 1000,
          KeyState: 'PendingDeletion',
        };
      },
    ),
    CancelKeyDeletion: operation(keyId, async ({ KeyId }, region) => {
      await change(KeyId, region, { state: 'Disabled', deletionAt: null });
      return { KeyId: arnOf(findKey(KeyId, region)) };
    }),
    Encrypt: operation(keyId.extend({ Plaintext: blob, EncryptionContext: context }), (input, region) => {
      const key = usableKey(input.KeyId, 'ENCRYPT_DECRYPT', region);
      if (input.Plaintext.length > 4096)
        throw new AwsError('ValidationException', 'The plaintext is longer than 4096 bytes');
      const sealed = material.seal(key.id, key.material, input.Plaintext, input.EncryptionContext);
      return { KeyId: arnOf(key), CiphertextBlob: sealed.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
    }),
    Decrypt: operation(
      z.object({ CiphertextBlob: blob, EncryptionContext: context, KeyId: z.string().optional() }),
      (input, region) => {
        const { key, plaintext } = open(input.CiphertextBlob, input.EncryptionContext, input.KeyId, region);
        return { KeyId: arnOf(key), Plaintext: plaintext.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
      },
    ),
    ReEncrypt: operation(
      z.object({
        CiphertextBlob: blob,
        SourceEncryptionContext: context,
        SourceKeyId: z.string().optional(),
        DestinationKeyId: z.string(),
        DestinationEncryptionContext: context,
      }),
      (input, region) => {
        const source = open(input.CiphertextBlob, input.SourceEncryptionContext, input.SourceKeyId, region);
        const key = usableKey(input.DestinationKeyId, 'ENCRYPT_DECRYPT', region);
        const sealed = material.seal(key.id, key.material, source.plaintext, input.DestinationEncryptionContext);
        return { KeyId: arnOf(key), SourceKeyId: arnOf(source.key), CiphertextBlob: sealed.toString('base64') };
      },
    ),
    GenerateDataKey: operation(dataKey, newDataKey),
    GenerateDataKeyWithoutPlaintext: operation(dataKey, (input, region) => ({
      ...newDataKey(input, region),
      Plaintext: undefined,
    })),
    GenerateRandom: operation(z.object({ NumberOfBytes: z.int().min(1).max(1024) }), ({ NumberOfBytes }) => ({
      Plaintext: randomBytes(NumberOfBytes).toString('base64'),
    })),
    GetPublicKey: operation(keyId, ({ KeyId }, region) => {
      const key = usableKey(KeyId, 'SIGN_VERIFY', region);
      return {
        KeyId: arnOf(key),
        PublicKey: material.publicKeyOf(key.material).toString('base64'),
        KeySpec: key.spec,
        KeyUsage: key.usage,
      };
    }),
    Sign: operation(signing, ({ KeyId, Message, SigningAlgorithm }, region) => {
      const key = usableKey(KeyId, 'SIGN_VERIFY', region);
      const signature = material.signMessage(key.material, SigningAlgorithm, Message);
      return { KeyId: arnOf(key), Signature: signature.toString('base64'), SigningAlgorithm };
    }),
    Verify: operation(
      signing.extend({ Signature: blob }),
      ({ KeyId, Message, SigningAlgorithm, Signature }, region) => {
        const key = usableKey(KeyId, 'SIGN_VERIFY', region);
        if (!material.signatureIsValid(key.material, SigningAlgorithm, Message, Signature)) {
          throw new AwsError('KMSInvalidSignatureException', 'The signature is not valid for this message and key');
        }
        return { KeyId: arnOf(key), SignatureValid: true, SigningAlgorithm };
      },
    ),
    GenerateMac: operation(macing, ({ KeyId, Message, MacAlgorithm }, region) => {
      const key = usableKey(KeyId, 'GENERATE_VERIFY_MAC', region);
      return {
        KeyId: arnOf(key),
        Mac: material.mac(key.material, MacAlgorithm, Message).toString('base64'),
        MacAlgorithm,
      };
    }),
    VerifyMac: operation(macing.extend({ Mac: blob }), ({ KeyId, Message, MacAlgorithm, Mac }, region) => {
      const key = usableKey(KeyId, 'GENERATE_VERIFY_MAC', region);
      if (!material.macIsValid(key.material, MacAlgorithm, Message, Mac)) {
        throw new AwsError('KMSInvalidMacException', 'The MAC is not valid for this message and key');
      }
      return { KeyId: arnOf(key), MacValid: true, MacAlgorithm };
    }),
  };

  /** Nothing for a key that there is not: the operation says so. */
  const rightOn = (
    name: string,
    id: string | undefined,
    region: string,
    context: Record<string, string> = {},
    mac?: string,
  ) => {
    const key = id === undefined ? undefined : keys[slotOf(id, region)];
    const right = {
      action: `kms:${name}`,
      context: { ...encryptionContext(context), ...(mac === undefined ? {} : { 'kms:MacAlgorithm': mac }) },
    };
    return key ? [{ ...right, resource: arnOf(key) }] : [];
  };
  const idOf = (reference: string, region: string): string | undefined => {
    try {
      return findKey(reference, region).id;
    } catch {
      return undefined;
    }
  };
  const requests = (called: string, input: unknown, region: string): AccessRequest[] => {
    const parsed = anyCall.safeParse(input);
    // The operation refuses it.
    if (!parsed.success) return [];
    const { CiphertextBlob, EncryptionContext, KeyId } = parsed.data;
    if (called === 'ReEncrypt') {
      const { SourceEncryptionContext, DestinationKeyId = '', DestinationEncryptionContext } = parsed.data;
      return [
        ...rightOn(
          'ReEncryptFrom',
          CiphertextBlob && material.keyIdOf(CiphertextBlob),
          region,
          SourceEncryptionContext,
        ),
        ...rightOn('ReEncryptTo', idOf(DestinationKeyId, region), region, DestinationEncryptionContext),
      ];
    }
    if (CiphertextBlob) return rightOn(called, material.keyIdOf(CiphertextBlob), region, EncryptionContext);
    if (KeyId === undefined) return [{ action: `kms:${called}`, resource: '*' }];
    return rightOn(called, idOf(KeyId, region), region, EncryptionContext, parsed.data.MacAlgorithm);
  };

  return {
    service: { name: 'kms', version: '1.1', operations, requests },
    createKey: async (wanted = {}) => {
      const existing = wanted.keyId === undefined ? undefined : keys[wanted.keyId];
      return arnOf(existing ?? (await newKey(wanted)));
    },
    close: file.close,
  };
}
