/** Numbers in row-major order. `type` is ONNX Runtime's name: float32, int64, bool, … */
export interface Tensor {
  readonly data: TypedArray;
  readonly dims: readonly number[];
  readonly type: string;
}

export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray;

/** What is taken for a tensor: a number, nested arrays, a typed array, or data with its dims. */
export type ArrayLike =
  | number
  | bigint
  | boolean
  | TypedArray
  | {
      readonly data: TypedArray | readonly number[];
      readonly dims: readonly number[];
      readonly type?: string;
    }
  | readonly ArrayLike[];

/** One array, or arrays by the names of the model's inputs. */
export type Feed = ArrayLike | { readonly [name: string]: ArrayLike };

/** One output, or all by name where there are several. */
export type Outputs = Tensor | Record<string, Tensor>;

/** `Outputs` for a list of sequences: those with an axis for the steps come as lists. */
export type ListOutputs = Tensor | Tensor[] | Record<string, Tensor | Tensor[]>;

export interface TensorSpec {
  readonly name: string;
  readonly dtype: string;
  /** A named axis is dynamic, an integer one is fixed. */
  readonly axes: readonly (string | number)[];
}

export interface Column {
  readonly name: string;
  readonly unit: string;
  readonly minimum: number;
  readonly maximum: number;
}

export interface Recurrent {
  readonly cell: "lstm" | "gru" | "rnn";
  readonly input_size: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly bidirectional: boolean;
  readonly proj_size: number;
}

/** Raw rows in, the next `horizon` rows of the targets out, in the table's own units. */
export interface Forecast {
  readonly features: readonly Column[];
  readonly targets: readonly Column[];
  readonly window: {
    readonly context_length: number;
    readonly horizon: number;
    readonly difference: number;
  };
  readonly recurrent: Recurrent;
  readonly [more: string]: unknown;
}

/** The symbols of texts: `symbols[i]` has the id i + 1, whatever is not among them 0. */
export interface Vocabulary {
  readonly level: "character" | "word";
  readonly lowercase: boolean;
  readonly symbols: readonly string[];
}

/** Whole sequences in, an answer to each, or to each of their steps (`pooling` null), out. */
export interface Sequences {
  readonly answer: readonly string[];
  readonly features: readonly Column[];
  readonly vocabulary: Vocabulary | null;
  readonly recurrent: Recurrent;
  readonly pooling: "last" | "mean" | "max" | "sum" | null;
  readonly classes: readonly string[];
  readonly targets: readonly Column[];
  readonly [more: string]: unknown;
}

/** What is taken for texts or sequences of ids: one, a list, arrays. */
export type Texts = string | readonly string[] | ArrayLike;

export interface Contract {
  readonly task: "forecast" | "classify" | "regress" | "tag" | "module";
  readonly graph: {
    readonly inputs: readonly TensorSpec[];
    readonly outputs: readonly TensorSpec[];
  };
  readonly forecast: Forecast | null;
  readonly sequences?: Sequences;
}

export interface LoadOptions {
  /** The module onnxruntime-node or onnxruntime-web, or the name of one; else what is installed. */
  ort?: object | string;
  /** Replay the golden values before the model is handed out. */
  checkGolden?: boolean;
  /** "pass" lets NaN and infinities through. */
  onNonfinite?: "raise" | "pass";
  /** For InferenceSession.create: executionProviders, intraOpNumThreads, … */
  sessionOptions?: object;
}

/**
 * The model in the bundle at a path (Node.js) or URL. Its checksums are compared before anything
 * runs.
 *
 * @throws BundleError, ChecksumError, NewerFormatError, ContractError, ParityError, OptionError or
 * MissingExtraError
 */
export function load(
  location: string | URL,
  options?: LoadOptions,
): Promise<ForecastModel | LabelModel | AnswerModel | GraphModel>;

/** Calls run in the order in which they were made. A refused call leaves the state as it was. */
export interface Stream {
  readonly batch: number;
  reset(rows?: number | readonly number[] | readonly boolean[]): Promise<void>;
}

export interface ForecastStream extends Stream {
  /** The forecast after one more row, (input_size,) or (batch, input_size). */
  step(row: Feed): Promise<Tensor>;
  /** The forecasts after each row of a chunk, (batch, sequence_length, input_size) or without batch. */
  run(chunk: Feed): Promise<Tensor>;
}

export interface AnswerStream extends Stream {
  /** The answer after one more row or id; for a batch of one a text of one symbol will do. */
  step(row: Feed | string): Promise<Tensor>;
  /** The answers after each step of a chunk; for a batch of one it may be a text. */
  run(chunk: Feed | string): Promise<Tensor>;
}

export interface GraphStream extends Stream {
  /** The outputs after one more step; inputs come without their step axis. */
  step(feed: Feed): Promise<Outputs>;
  /** The outputs after each step of a chunk. */
  run(feed: Feed): Promise<Outputs>;
}

export class ForecastModel {
  private constructor();
  readonly contract: Contract & { readonly task: "forecast" };
  readonly terms: Forecast;
  readonly intervals: object | null;
  /**
   * The next rows of the targets after each sequence. `x` is (batch, sequence_length, input_size),
   * one sequence, or a list of sequences of any lengths.
   */
  run(x: Feed, options?: { lengths?: ArrayLike }): Promise<Tensor>;
  /** Many steps ahead; `future` has known values of the features that are not predicted. */
  forecast(
    history: Feed,
    horizon?: number,
    options?: { future?: Record<string, ArrayLike>; coverage?: undefined },
  ): Promise<Tensor>;
  /** With the bounds that the truth lies between with at least the probability `coverage`. */
  forecast(
    history: Feed,
    horizon: number | undefined,
    options: { future?: Record<string, ArrayLike>; coverage: number },
  ): Promise<{ forecast: Tensor; lower: Tensor; upper: Tensor }>;
  /** A new stream over `batch` series; OptionError for a model of two directions. */
  stream(batch?: number): ForecastStream;
  release(): Promise<void>;
}

/** A model that answers whole sequences, or each of their steps, with numbers. */
export class AnswerModel {
  protected constructor();
  readonly contract: Contract & { readonly sequences: Sequences };
  readonly terms: Sequences;
  /**
   * The targets, or for a LabelModel the probabilities of its classes: (batch, width), (width,) for
   * one sequence. A model that answers every step has an axis for them before the last, and gives a
   * list for a list, or with `lengths`.
   */
  run(
    x: Texts | { readonly x: Texts },
    options?: { lengths?: ArrayLike },
  ): Promise<Tensor | Tensor[]>;
  /** A new stream over `batch` sequences; OptionError for a model that needs whole ones. */
  stream(batch?: number): AnswerStream;
  release(): Promise<void>;
}

/** A model that classifies sequences, or tags their steps. */
export class LabelModel extends AnswerModel {
  /** The labels, in the order of the probabilities. */
  readonly classes: readonly string[];
  /** The likeliest label of one sequence, or of each of several. */
  classify(
    x: Texts | { readonly x: Texts },
    options?: { lengths?: ArrayLike },
  ): Promise<string | string[]>;
  /** The likeliest label of every step of one sequence, or of each of several. */
  tag(
    x: Texts | { readonly x: Texts },
    options?: { lengths?: ArrayLike },
  ): Promise<string[] | string[][]>;
}

export class GraphModel {
  private constructor();
  readonly contract: Contract & { readonly task: "module" };
  /** The outputs for one feed, or for a list of sequences of any lengths. */
  run(feed: Feed, options?: { lengths?: ArrayLike }): Promise<ListOutputs>;
  /** A new stream over `batch` series; OptionError, with the reason, where the model cannot. */
  stream(batch?: number): GraphStream;
  release(): Promise<void>;
}

/** Base of every error that this package throws on purpose. */
export class LstmExportError extends Error {}
/** An option or argument that makes no sense. */
export class OptionError extends LstmExportError {}
/** A feed that a model refuses: a name, rank, dtype, width, length or value. */
export class InputError extends LstmExportError {}
/** A manifest that contradicts itself. */
export class ContractError extends LstmExportError {}
/** A bundle that is missing, damaged or not what it says. */
export class BundleError extends LstmExportError {}
/** A file of a bundle whose bytes are not those that were written. */
export class ChecksumError extends BundleError {}
/** A bundle written by a newer version of this package. */
export class NewerFormatError extends BundleError {}
/** Numbers that disagree beyond the parity rule. */
export class ParityError extends LstmExportError {}
/** ONNX Runtime is not installed. */
export class MissingExtraError extends LstmExportError {}
