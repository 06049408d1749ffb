// The stand-in of a cloud's Pulumi provider: it accepts, records and echoes, and keeps secrets and unknowns as they are.
import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import * as proto from '@pulumi/pulumi/proto/provider_pb.js';
import { PluginInfo } from '@pulumi/pulumi/proto/plugin_pb.js';
import { Empty } from 'google-protobuf/google/protobuf/empty_pb.js';
import { Struct, type JavaScriptValue } from 'google-protobuf/google/protobuf/struct_pb.js';
import { answerTo, replacedBy, stateOf } from './clouds.js';
import type { Journal } from './journal.js';
import { isRecord, plain, readable, same, unknown, type Properties } from './values.js';

interface Message {
  toJavaScript(): Record<string, unknown>;
}
const properties = (message: Message | undefined): Properties => message?.toJavaScript() ?? {};
const struct = (value: Properties) => Struct.fromJavaScript(value as Record<string, JavaScriptValue>);

/** Type and name of a resource: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`. */
function partsOf(urn: string): { type: string; name: string } {
  const [, , types = '', name = ''] = urn.split('::');
  return { type: types.split('$').at(-1) ?? '', name };
}

/** Answers, or says what failed as the engine shows it. */
function answering<Request, Response>(
  answer: (request: Request) => Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    try {
      callback(null, answer(call.request));
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

export function standInProvider(journal: Journal, version: string): UntypedServiceImplementation {
  /** Made or changed: what was asked for, and what the cloud would add. Of a preview, the latter is not known. */
  const settle = (asked: 'create' | 'update', urn: string, inputs: Properties, preview: boolean) => {
    const { type, name } = partsOf(urn);
    const earlier = journal
      .entries()
      .filter((entry) => entry.type === type && entry.name === name && entry.asked !== 'delete');
    const read = plain(inputs);
    const added = stateOf(type, name, isRecord(read) ? read : {}, earlier.length + 1);
    if (!preview) journal.add({ asked, type, name, inputs: readable(inputs) as Properties });
    const state = Object.entries(added).filter(([key, value]) => !same(plain(inputs[key]), value));
    const known = state.map(([key, value]) => [key, preview ? unknown : value] as const);
    const id = typeof added['id'] === 'string' ? added['id'] : `${name}-id`;
    return { id, outputs: { ...inputs, ...Object.fromEntries(known) } };
  };

  return {
    handshake: answering(() => {
      const response = new proto.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      response.setAcceptResources(true);
      response.setAcceptOutputs(true);
      return response;
    }),
    checkConfig: answering((request: proto.CheckRequest) => {
      const response = new proto.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diffConfig: answering(() => {
      const response = new proto.DiffResponse();
      response.setChanges(proto.DiffResponse.DiffChanges.DIFF_NONE);
      return response;
    }),
    configure: answering(() => {
      const response = new proto.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setAcceptresources(true);
      response.setAcceptoutputs(true);
      response.setSupportspreview(true);
      return response;
    }),
    getPluginInfo: answering(() => {
      const response = new PluginInfo();
      response.setVersion(version);
      return response;
    }),
    getSchema: answering(() => {
      const response = new proto.GetSchemaResponse();
      response.setSchema('{}');
      return response;
    }),
    check: answering((request: proto.CheckRequest) => {
      const response = new proto.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diff: answering((request: proto.DiffRequest) => {
      const olds = properties(request.getOldInputs());
      const news = properties(request.getNews());
      const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])].sort();
      const changed = names.filter((name) => !same(plain(olds[name]), plain(news[name])));
      const response = new proto.DiffResponse();
      const { DIFF_NONE, DIFF_SOME } = proto.DiffResponse.DiffChanges;
      response.setChanges(changed.length === 0 ? DIFF_NONE : DIFF_SOME);
      response.setDiffsList(changed);
      response.setReplacesList([...replacedBy(partsOf(request.getUrn()).type, changed)]);
      return response;
    }),
    create: answering((request: proto.CreateRequest) => {
      const inputs = properties(request.getProperties());
      const { id, outputs } = settle('create', request.getUrn(), inputs, request.getPreview());
      const response = new proto.CreateResponse();
      response.setId(request.getPreview() ? '' : id);
      response.setProperties(struct(outputs));
      return response;
    }),
    update: answering((request: proto.UpdateRequest) => {
      const inputs = properties(request.getNews());
      const { outputs } = settle('update', request.getUrn(), inputs, request.getPreview());
      const response = new proto.UpdateResponse();
      response.setProperties(struct(outputs));
      return response;
    }),
    read: answering((request: proto.ReadRequest) => {
      const response = new proto.ReadResponse();
      response.setId(request.getId());
      response.setProperties(request.getProperties());
      response.setInputs(request.getInputs());
      return response;
    }),
    delete: answering((request: proto.DeleteRequest) => {
      journal.add({ asked: 'delete', ...partsOf(request.getUrn()), inputs: {} });
      return new Empty();
    }),
    invoke: answering((request: proto.InvokeRequest) => {
      const inputs = properties(request.getArgs());
      const token = request.getTok();
      journal.add({ asked: 'invoke', type: token, name: '', inputs: readable(inputs) as Properties });
      const response = new proto.InvokeResponse();
      response.setReturn(struct(answerTo(token, plain(inputs) as Properties)));
      return response;
    }),
    cancel: answering(() => new Empty()),
  };
}
