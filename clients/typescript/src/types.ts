/** The types of requests and answers, read from those of the API's document. */
import type { operations } from "./generated/schema.js";

type Success = 200 | 201 | 202;
type Json<T> = T extends { content: { "application/json": infer Content } } ? Content : never;

/** What an operation answers. A newer service may send further fields, and further values of an enum. */
export type Answer<Name extends keyof operations> = {
  [Status in keyof operations[Name]["responses"] & Success]: Json<operations[Name]["responses"][Status]>;
}[keyof operations[Name]["responses"] & Success];

/** The JSON body of an operation. */
export type Body<Name extends keyof operations> = operations[Name] extends { requestBody?: infer Request }
  ? Json<NonNullable<Request>>
  : never;

/** The query of an operation. */
export type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;

/** A parameter in the path of an operation. */
export type InPath<Name extends keyof operations, Parameter extends string> =
  operations[Name]["parameters"]["path"] extends Record<Parameter, infer Value> ? Value : never;

/** How one request is sent. */
export interface Options {
  /** Ends the request, its repeats and the waits between them. */
  signal?: AbortSignal;
  /** Seconds until one attempt is given up; 65 by default, because the API waits up to 60 for an outcome. */
  timeout?: number;
}

/** The option of requests that can be repeated safely. */
export interface Keyed {
  /** The same key, method, path and body get the same answer for 24 hours. Default: a random one for each call. */
  idempotencyKey?: string;
}

/** The option of requests that wait for an outcome. */
export interface Waiting {
  /** Seconds that the API waits for the outcome, 0 to 60. */
  wait?: number;
}

/** A request, as the methods of a client describe it. */
export interface Sent {
  method: string;
  path: string;
  query?: object;
  body?: unknown;
  /** A body that is no JSON, and its type; fetch knows that of a form. */
  content?: { type?: string; data: BodyInit };
  /** The operation takes an Idempotency-Key, so it may be repeated. */
  keyed?: boolean;
  /** Each post of the body has a key, too. */
  eachKeyed?: boolean;
  /** The operation does the same if it is repeated, without a key. */
  repeatable?: boolean;
}
