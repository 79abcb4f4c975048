import { verify } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { buildClient, CommitmentPolicy, KmsKeyringNode, type KmsNodeClientSupplier } from '@aws-crypto/client-node';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  GetKeyRotationStatusCommand,
  GetPublicKeyCommand,
  KMS,
  KMSClient,
  ReEncryptCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let kms: KMSClient;
let KeyId: string;

beforeAll(async () => {
  kms = new KMSClient(clientOptions(services.current.endpoints.kms));
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: 'backups' }));
  KeyId = KeyMetadata?.KeyId ?? '';
  await kms.send(new CreateAliasCommand({ AliasName: 'alias/backups', TargetKeyId: KeyId }));
});

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

describe('encryption', () => {
  const EncryptionContext = { database: 'shop', backup: 'b1' };

  it('opens a data key only under its encryption context', async () => {
    const made = await kms.send(
      new GenerateDataKeyCommand({ KeyId: 'alias/backups', KeySpec: 'AES_256', EncryptionContext }),
    );
    expect(made.Plaintext).toHaveLength(32);
    const reordered = { backup: 'b1', database: 'shop' };
    const opened = await kms.send(
      new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext: reordered }),
    );
    expect(opened.Plaintext).toEqual(made.Plaintext);
    expect(opened.KeyId).toBe(`arn:aws:kms:us-east-1:000000000000:key/${KeyId}`);
    const other = kms.send(
      new DecryptCommand({
        CiphertextBlob: made.CiphertextBlob,
        EncryptionContext: { ...EncryptionContext, backup: 'b2' },
      }),
    );
    await expect(other).rejects.toMatchObject({ name: 'InvalidCiphertextException' });
    const without = await kms.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, NumberOfBytes: 64 }));
    expect(without).not.toHaveProperty('Plaintext');
    expect((await kms.send(new DecryptCommand({ CiphertextBlob: without.CiphertextBlob }))).Plaintext).toHaveLength(64);
  });

  it('refuses a ciphertext that was changed anywhere', async () => {
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId, Plaintext: Buffer.from('secret'), EncryptionContext }),
    );
    for (const position of [0, 1, 5, 40, 52, 70]) {
      const changed = Buffer.from(CiphertextBlob ?? []);
      changed.writeUInt8(changed.readUInt8(position) ^ 1, position);
      await expect(kms.send(new DecryptCommand({ CiphertextBlob: changed, EncryptionContext }))).rejects.toMatchObject({
        name: 'InvalidCiphertextException',
      });
    }
  });

  it('encrypts again under another key', async () => {
    const other = await services.current.createKey({ keyId: 'wanted-id' });
    expect(other).toBe('arn:aws:kms:us-east-1:000000000000:key/wanted-id');
    expect(await services.current.createKey({ keyId: 'wanted-id' })).toBe(other);
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId, Plaintext: Buffer.from('secret'), EncryptionContext }),
    );
    const again = await kms.send(
      new ReEncryptCommand({ CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: other }),
    );
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: again.CiphertextBlob }));
    expect(text(opened.Plaintext)).toBe('secret');
    expect(opened.KeyId).toBe(other);
    await expect(kms.send(new DecryptCommand({ CiphertextBlob: again.CiphertextBlob, KeyId }))).rejects.toMatchObject({
      name: 'IncorrectKeyException',
    });
  });

  it('serves the AWS Encryption SDK', async () => {
    const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
    const generatorKeyId = `arn:aws:kms:us-east-1:000000000000:key/${KeyId}`;
    // Its type of a client is narrower than a client of today, which serves all the same.
    const clientProvider = (() =>
      new KMS(clientOptions(services.current.endpoints.kms))) as unknown as KmsNodeClientSupplier;
    const keyring = new KmsKeyringNode({ generatorKeyId, clientProvider });
    const { result } = await encrypt(keyring, 'text', { encryptionContext: EncryptionContext });
    const { plaintext, messageHeader } = await decrypt(keyring, result);
    expect(plaintext.toString()).toBe('text');
    expect(messageHeader.encryptionContext).toMatchObject(EncryptionContext);
  });

  it('gives random bytes', async () => {
    expect((await kms.send(new GenerateRandomCommand({ NumberOfBytes: 24 }))).Plaintext).toHaveLength(24);
  });
});

describe('the life of a key', () => {
  it('refuses an unknown, a disabled and a doomed key', async () => {
    await expect(kms.send(new DescribeKeyCommand({ KeyId: 'none' }))).rejects.toMatchObject({
      name: 'NotFoundException',
    });
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    const id = KeyMetadata?.KeyId;
    const encrypt = () => kms.send(new EncryptCommand({ KeyId: id, Plaintext: Buffer.from('x') }));
    await kms.send(new DisableKeyCommand({ KeyId: id }));
    await expect(encrypt()).rejects.toMatchObject({ name: 'DisabledException' });
    await kms.send(new EnableKeyCommand({ KeyId: id }));
    await encrypt();
    await kms.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays: 7 }));
    await expect(encrypt()).rejects.toMatchObject({ name: 'KMSInvalidStateException' });
    expect((await kms.send(new DescribeKeyCommand({ KeyId: id }))).KeyMetadata?.DeletionDate).toBeInstanceOf(Date);
  });

  it('tells whether it is rotated', async () => {
    expect((await kms.send(new GetKeyRotationStatusCommand({ KeyId }))).KeyRotationEnabled).toBe(false);
    await kms.send(new EnableKeyRotationCommand({ KeyId }));
    expect((await kms.send(new GetKeyRotationStatusCommand({ KeyId }))).KeyRotationEnabled).toBe(true);
  });
});

describe('signatures and codes', () => {
  it.each([
    ['RSA_2048', 'RSASSA_PSS_SHA_256'],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512'],
    ['ECC_NIST_P256', 'ECDSA_SHA_256'],
  ] as const)('signs with %s, %s', async (KeySpec, SigningAlgorithm) => {
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }));
    const key = { KeyId: KeyMetadata?.KeyId, SigningAlgorithm, Message: Buffer.from('message') };
    const { Signature } = await kms.send(new SignCommand(key));
    expect((await kms.send(new VerifyCommand({ ...key, Signature }))).SignatureValid).toBe(true);
    const forged = kms.send(new VerifyCommand({ ...key, Message: Buffer.from('another'), Signature }));
    await expect(forged).rejects.toMatchObject({ name: 'KMSInvalidSignatureException' });
    const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: key.KeyId }));
    expect(PublicKey?.length).toBeGreaterThan(80);
    if (SigningAlgorithm === 'ECDSA_SHA_256') {
      const publicKey = { key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' } as const;
      expect(verify('sha256', key.Message, publicKey, Signature ?? Buffer.alloc(0))).toBe(true);
    }
  });

  it('makes and checks message authentication codes', async () => {
    const { KeyMetadata } = await kms.send(
      new CreateKeyCommand({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    );
    const call = { KeyId: KeyMetadata?.KeyId, MacAlgorithm: 'HMAC_SHA_256' as const, Message: Buffer.from('message') };
    const { Mac } = await kms.send(new GenerateMacCommand(call));
    expect(Mac).toHaveLength(32);
    expect((await kms.send(new VerifyMacCommand({ ...call, Mac }))).MacValid).toBe(true);
    await expect(kms.send(new VerifyMacCommand({ ...call, Message: Buffer.from('other'), Mac }))).rejects.toMatchObject(
      { name: 'KMSInvalidMacException' },
    );
  });
});

describe('the endpoint', () => {
  it('fails calls as told', async () => {
    await services.current.faults.set({
      service: 'kms',
      operation: 'GenerateDataKey',
      status: 400,
      code: 'AccessDeniedException',
      times: 1,
    });
    const make = () => kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    await kms.send(new DescribeKeyCommand({ KeyId }));
    await expect(make()).rejects.toMatchObject({ name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } });
    await make();
  });

  it('keeps keys over a restart, in a file for its owner alone', async () => {
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId: 'alias/backups', Plaintext: Buffer.from('kept') }),
    );
    kms = new KMSClient(clientOptions((await services.restart()).endpoints.kms));
    expect(text((await kms.send(new DecryptCommand({ CiphertextBlob }))).Plaintext)).toBe('kept');
    expect((await stat(services.stateFile('kms.json'))).mode & 0o777).toBe(0o600);
  });
});
