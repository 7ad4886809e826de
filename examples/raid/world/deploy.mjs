#!/usr/bin/env node
// Deploys a MUD World and registers the tables of mud.config.ts in it.
//
//   node deploy.mjs --rpc URL [--private-key HEX] [--salt HEX] [--config FILE] [--records FILE] [--out FILE]
//
// --records names a JSON file of records to begin with, { <label of a table>: [{ <key or field>: value, … }, …] };
// records.json beside this script goes with the configuration beside it.
//
// The key may come from the environment variable PRIVATE_KEY instead, which keeps it out of the process list.
// Prints (and with --out writes) one JSON object:
//
//   { chainId, deployer, world, worldBlock, namespace, namespaceId,
//     tables: { <label>: { tableId, fieldLayout, keySchema, valueSchema, keyNames, fieldNames } } }
//
// It makes the same transactions as `mud deploy` (CREATE2 factory, core systems, WorldFactory, registerNamespace,
// registerTable), but takes the contracts as @latticexyz/world ships them, compiled: this project has no contract of
// its own, so there is nothing to build and no compiler is started. The deployer becomes the owner of the root
// namespace and of the project's namespaces. Whatever is already on the chain under its CREATE2 address is reused.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadConfig } from "@latticexyz/config/node";
import { resourceToHex } from "@latticexyz/common";
import { ensureContractsDeployed, ensureDeployer, getContractAddress } from "@latticexyz/common/internal";
import {
  encodeValueArgs,
  getKeySchema,
  getKeyTuple,
  getSchemaTypes,
  getValueSchema,
  keySchemaToHex,
  valueSchemaToFieldLayoutHex,
  valueSchemaToHex,
} from "@latticexyz/protocol-parser/internal";
import { createWalletClient, encodeDeployData, encodeFunctionData, http, isHex, parseEventLogs, publicActions, size } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

class UsageError extends Error {}

function parseFlags() {
  const text = { type: "string" };
  try {
    return parseArgs({ options: { rpc: text, "private-key": text, salt: text, config: text, records: text, out: text } }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function readOptions() {
  const values = parseFlags();
  const privateKey = values["private-key"] ?? process.env.PRIVATE_KEY;
  if (!values.rpc) throw new UsageError("--rpc is missing: give the URL of an Ethereum node, such as http://127.0.0.1:8545");
  if (!isHex(privateKey) || size(privateKey) !== 32) {
    throw new UsageError("the deployer's key is missing or is not 32 bytes of hex: give --private-key 0x… or set PRIVATE_KEY");
  }
  // A random salt gives a new World every time; a fixed one gives the same address on every fresh chain.
  const salt = values.salt ?? `0x${randomBytes(32).toString("hex")}`;
  if (!isHex(salt)) throw new UsageError(`--salt is not hex: ${salt}`);
  const config = path.resolve(values.config ?? path.join(here, "mud.config.ts"));
  const records = readRecords(values.records ?? (values.config ? undefined : path.join(here, "records.json")));
  return { rpc: values.rpc, privateKey, salt, config, records, out: values.out };
}

function readRecords(file) {
  if (file === undefined) return {};
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--records: ${file} is not to be read (${error.message})`);
  }
}

function artifact(name) {
  return JSON.parse(readFileSync(require.resolve(`@latticexyz/world/out/${name}.sol/${name}.json`), "utf8"));
}

// The singletons that every World of this version shares, each with the address that CREATE2 gives it.
function worldContracts(deployerAddress) {
  const contract = (name, args) => {
    const { abi, bytecode } = artifact(name);
    const code = args ? encodeDeployData({ abi, bytecode: bytecode.object, args }) : bytecode.object;
    return { name, abi, bytecode: code, debugLabel: name, address: getContractAddress({ deployerAddress, bytecode: code }) };
  };
  const systems = ["AccessManagementSystem", "BalanceTransferSystem", "BatchCallSystem", "RegistrationSystem"].map((name) => contract(name));
  const initModule = contract("InitModule", systems.map(({ address }) => address));
  const factory = contract("WorldFactory", [initModule.address]);
  return { all: [...systems, initModule, factory], factory };
}

// The arguments of World.setRecord for each record to begin with.
function encodeRecords(records, tables) {
  return Object.entries(records).flatMap(([label, rows]) => {
    const table = tables.find((table) => table.label === label);
    if (!table) throw new UsageError(`--records: the configuration has no table ${label}`);
    return rows.map((row) => {
      try {
        const { staticData, encodedLengths, dynamicData } = encodeValueArgs(getSchemaTypes(getValueSchema(table)), row);
        return [table.tableId, getKeyTuple(table, row), staticData, encodedLengths, dynamicData];
      } catch (error) {
        throw new UsageError(`--records: ${JSON.stringify(row)} is no record of ${label} (${error.shortMessage ?? error.message})`);
      }
    });
  });
}

function describeTable(table) {
  const keySchema = getSchemaTypes(getKeySchema(table));
  const valueSchema = getSchemaTypes(getValueSchema(table));
  return {
    tableId: table.tableId,
    fieldLayout: valueSchemaToFieldLayoutHex(valueSchema),
    keySchema: keySchemaToHex(keySchema),
    valueSchema: valueSchemaToHex(valueSchema),
    keyNames: Object.keys(keySchema),
    fieldNames: Object.keys(valueSchema),
  };
}

async function main() {
  const options = readOptions();
  const account = privateKeyToAccount(options.privateKey);
  const client = createWalletClient({ account, transport: http(options.rpc), pollingInterval: 50 }).extend(publicActions);

  const chainId = await client.getChainId().catch((error) => {
    throw new UsageError(`no Ethereum node answers at ${options.rpc} (${error.shortMessage ?? error.message}): start one, then try again`);
  });

  // Waits for the receipts of a step, so that the next step may build on it; transactions of one step go out together.
  async function send(step, calls, hint = "") {
    let nonce = await client.getTransactionCount({ address: account.address, blockTag: "pending" });
    const hashes = [];
    for (const call of calls) {
      const request = { chain: null, to: call.to, data: encodeFunctionData(call), nonce: nonce++ };
      hashes.push(
        await client.sendTransaction(request).catch((error) => {
          throw new Error(`${step}: ${error.shortMessage ?? error.message}${hint}`);
        }),
      );
    }
    return Promise.all(
      hashes.map(async (hash) => {
        const receipt = await client.waitForTransactionReceipt({ hash });
        if (receipt.status !== "success") throw new Error(`${step}: transaction ${hash} reverted`);
        return receipt;
      }),
    );
  }

  // Reading the configuration starts a TypeScript compiler, which takes as long as the singletons do.
  async function ensureFactory() {
    const deployerAddress = await ensureDeployer(client);
    const { all, factory } = worldContracts(deployerAddress);
    await ensureContractsDeployed({ client, deployerAddress, contracts: all });
    return factory;
  }
  const [config, factory] = await Promise.all([loadConfig(options.config), ensureFactory()]);
  const tables = Object.values(config.namespaces).flatMap((namespace) => Object.values(namespace.tables));
  const records = encodeRecords(options.records, tables);

  const [receipt] = await send(
    "deploying the World",
    [{ to: factory.address, abi: factory.abi, functionName: "deployWorld", args: [options.salt] }],
    ` (has this key deployed a World with salt ${options.salt} on this chain already? leave --salt out for a new one)`,
  );
  const [deployed] = parseEventLogs({ abi: factory.abi, eventName: "WorldDeployed", logs: receipt.logs });
  if (!deployed) throw new Error(`deploying the World: transaction ${receipt.transactionHash} has no WorldDeployed event`);
  const world = deployed.args.newContract;

  const { abi } = artifact("IBaseWorld");
  const namespaces = [...new Set(tables.map(({ namespace }) => namespace))].filter((namespace) => namespace !== "");
  const namespaceId = (namespace) => resourceToHex({ type: "namespace", namespace, name: "" });
  await send(
    "registering namespaces",
    namespaces.map((namespace) => ({ to: world, abi, functionName: "registerNamespace", args: [namespaceId(namespace)] })),
  );
  const described = Object.fromEntries(tables.map((table) => [table.label, describeTable(table)]));
  await send(
    "registering tables",
    Object.values(described).map((table) => ({
      to: world,
      abi,
      functionName: "registerTable",
      args: [table.tableId, table.fieldLayout, table.keySchema, table.valueSchema, table.keyNames, table.fieldNames],
    })),
  );

  await send(
    "writing records",
    records.map((args) => ({ to: world, abi, functionName: "setRecord", args })),
  );

  return {
    out: options.out,
    result: {
      chainId,
      deployer: account.address,
      world,
      worldBlock: Number(receipt.blockNumber),
      namespace: config.namespace,
      namespaceId: namespaceId(config.namespace),
      tables: described,
    },
  };
}

main().then(
  ({ out, result }) => {
    const json = JSON.stringify(result, null, 2) + "\n";
    if (out) {
      mkdirSync(path.dirname(path.resolve(out)), { recursive: true });
      writeFileSync(out, json);
    }
    // The nonce manager of @latticexyz/common holds a channel open: leave once the result is written.
    process.stdout.write(json, () => process.exit(0));
  },
  (error) => {
    console.error(`deploy.mjs: ${error.shortMessage ?? error.message}`);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
