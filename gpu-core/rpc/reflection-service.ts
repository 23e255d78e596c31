import {
  type DescEnum,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type {
  ServerReflection,
  ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";
import { untilAborted } from "./until-aborted.ts";

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

/**
 * The handler of `grpc.reflection.v1.ServerReflection`, with which grpcurl and
 * its like list and call `services` without having their files.
 * @param closing ends the streams, which their callers may keep open for ever
 */
export function createReflectionService(
  services: readonly DescService[],
  closing: AbortSignal,
): ServiceImpl<typeof ServerReflection> {
  const files = withDependencies(services.map(({ file }) => file));
  const fileOfSymbol = new Map(
    files.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)),
  );
  const messageNames = new Set(
    files.flatMap(({ messages }) => messages.flatMap(withNested)).map(({ typeName }) => typeName),
  );

  function answerTo({ messageRequest: { case: kind, value } }: ServerReflectionRequest): Answer {
    switch (kind) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: services.map(({ typeName }) => ({ name: typeName })) },
        };
      case "fileByFilename": {
        const file = files.find(({ proto }) => proto.name === value);
        return file ? describe(file) : notFound(`no file ${value}`);
      }
      case "fileContainingSymbol": {
        const file = fileOfSymbol.get(value);
        return file ? describe(file) : notFound(`no symbol ${value}`);
      }
      // Nothing here is extended.
      case "fileContainingExtension":
        return notFound(`no extension ${value.extensionNumber} of ${value.containingType}`);
      case "allExtensionNumbersOfType":
        if (!messageNames.has(value)) return notFound(`no message ${value}`);
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: value } };
      case undefined:
        return failure(Code.InvalidArgument, "the request asks nothing: set message_request");
    }
  }

  return {
    async *serverReflectionInfo(requests) {
      for await (const request of untilAborted(requests, closing)) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answerTo(request),
        };
      }
    },
  };
}

/** The file and all that it imports, as a client needs them. */
function describe(file: DescFile): Answer {
  const fileDescriptorProto = withDependencies([file]).map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

const notFound = (errorMessage: string) => failure(Code.NotFound, errorMessage);

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

function withDependencies(files: readonly DescFile[]): DescFile[] {
  // A set that grows while it is walked: each file once.
  const all = new Set(files);
  for (const { dependencies } of all) for (const file of dependencies) all.add(file);
  return [...all];
}

function withNested(message: DescMessage): DescMessage[] {
  return [message, ...message.nestedMessages.flatMap(withNested)];
}

/** Full names of everything that the file declares. */
function symbolsOf(file: DescFile): string[] {
  const messages = file.messages.flatMap(withNested);
  const enums: DescEnum[] = [...file.enums, ...messages.flatMap(({ nestedEnums }) => nestedEnums)];
  return [
    ...file.services.flatMap(({ typeName, methods }) => [
      typeName,
      ...methods.map(({ name }) => `${typeName}.${name}`),
    ]),
    ...messages.flatMap(({ typeName, fields, oneofs }) => [
      typeName,
      ...[...fields, ...oneofs].map(({ name }) => `${typeName}.${name}`),
    ]),
    ...enums.flatMap(({ typeName, values }) => {
      // An enum's values live beside it, not in it.
      const scope = typeName.slice(0, typeName.lastIndexOf(".") + 1);
      return [typeName, ...values.map(({ name }) => scope + name)];
    }),
  ];
}
