// What Python hands over: one gzipped block of a JSON header and raw arrays. Mirrors embdiff/views/packing.py.

export interface ArrayRef {
  dtype: "int32" | "float32" | "float64" | "uint16" | "uint8";
  shape: number[];
  offset: number;
  bytes: number;
}

export interface Score {
  measure: string;
  models: string[];
  query_model: string | null;
  value: number | null;
  low: number | null;
  high: number | null;
  chance: number | null;
  n: number;
  reason: string | null;
}

export interface TextTable {
  title: string;
  head: string[];
  rows: string[][];
  remarks: string[];
}

export interface Cutoffs {
  from: string;
  to: string[];
  more: number;
  queries: number;
  pairs: number;
  rows: { at: number; rate: number; cells: { value: number | null; low: number | null; high: number | null }[] }[];
  remarks: string[];
  /** shares of pairs that pass, and of every model the cut-off that lets as many pass */
  rates: number[];
  lines: { model: string; cuts: number[] }[];
}

/** Seconds to encode one text and bytes of a vector; `why` there are no seconds: nothing was encoded now. */
export interface Cost {
  model: string;
  seconds: number | null;
  why: string | null;
  encoded: number;
  bytes: number;
  /** seconds of a query, in the store of the run */
  search: number | null;
  value: number | null;
  low: number | null;
  high: number | null;
  /** no other model is at least as good, small and fast, and better in one of these; null without labels */
  front: boolean | null;
}

export interface Mixing {
  k: number;
  own: { model: string; groups: string[]; share: (number | null)[]; chance: (number | null)[] }[];
  models: { model: string; groups: string[]; share: (number | null)[][]; chance: (number | null)[][] }[];
  more: number;
}

export interface AnswerHead {
  model: string;
  query_model: string;
  /** ranks the texts of queries without vectors, whoever else asks */
  beside: boolean;
  distance_word: string;
  rows: ArrayRef;
  distance: ArrayRef;
  is_self: ArrayRef;
  elsewhere: { rows: ArrayRef; ranks: ArrayRef; distance: ArrayRef };
  /** exact neighbours that the index did not return; of no width where it lost none */
  lost: ArrayRef;
}

export interface MapHead {
  model: string;
  method: string;
  about: string;
  x: ArrayRef;
  y: ArrayRef;
}

export interface Headline {
  basis: "judgements" | "groups" | "agreement";
  sentence: string;
  remarks: { about: "proof" | "agreement" | "noise" | "where" | "next"; words: string }[];
  measure: string | null;
  standings: { model: string; value: number | null; low: number | null; high: number | null; chance: number | null; n: number }[];
  agreement: Shared[];
  noise: number | null;
  where: { group: string; models: [string, string]; n: number; values: [number | null, number | null]; difference: number | null; low: number | null; high: number | null; p_adjusted: number | null }[];
  /** by group or suggested cluster and pair of models, the surest disagreement first */
  by_part: Shared[];
}

/** How many of `of` neighbours two models have in common on average, over all queries or those of a part. */
export interface Shared {
  models: [string, string];
  of: number;
  value: number | null;
  low: number | null;
  high: number | null;
  chance: number | null;
  n: number;
  asked_with: string | null;
  part: string | null;
}

/** Why two models return different neighbours: in words, as tables, and of each changed neighbour its likely causes as bits. */
export interface WhyHead {
  models: [string, string];
  query_model: string | null;
  words: string[];
  tables: TextTable[];
  query: ArrayRef;
  row: ArrayRef;
  bits: ArrayRef;
}

/** Another column of the data: its values, and of each row the place of its own among them. */
export interface ColumnHead {
  name: string;
  values: string[];
  of: ArrayRef;
}

export interface Ruling {
  rule: string;
  models: string[];
  outcome: "pass" | "fail" | "inconclusive";
  value: number | null;
  low: number | null;
  high: number | null;
  level: number;
  n: number;
  expected: number | null;
}

export interface Change {
  models: [string, string];
  n: number;
  first: number;
  any: number;
  k: number;
  by: string;
  worst: { id: string; text: string; before: number | null; after: number | null }[];
  /** whether the old vectors can be kept, mapped; null where that was not measured */
  mapped: Mapped | null;
}

export interface Mapped {
  models: [string, string];
  fitted: number;
  k: number;
  shared: number | null;
  low: number | null;
  high: number | null;
  rulings: Ruling[];
}

export interface Decision {
  verdict: string;
  basis: string;
  sentence: string;
  reasons: { sentence: string; evidence: string }[];
  actions: { sentence: string; command: string | null }[];
  rulings: Ruling[];
  error: number;
  changes: Change[];
}

export interface Header {
  view: number;
  title: string;
  facts: string;
  provenance: [string, string][];
  headline: Headline;
  /** which model to take, where that was asked */
  decision: Decision | null;
  /** what else was found, in sentences */
  besides: string[];
  /** lists that cannot be taken as they are */
  warnings: string[];
  /** by query: the rows it should find; null where there are no expected results */
  expected: Record<number, number[]> | null;
  notes: string[];
  /** of the whole corpus; where the page holds fewer, `drawn` says which */
  rows: number;
  drawn: string;
  models: string[];
  metric: string;
  k: number;
  scores: Score[];
  /** by measure: between which values it lies, and what it says */
  measures: Record<string, { unit: string; about: string }>;
  curves: Score[];
  tables: TextTable[];
  costs: Cost[];
  quality: string | null;
  cutoffs: Cutoffs | null;
  mixing: Mixing | null;
  why: WhyHead[];
  /** what each bit stands for: in short, and what it says */
  causes: [string, string][];
  parts: { by: "groups" | "clusters" | "none"; names: string[]; of_row: ArrayRef; of_query: ArrayRef };
  items: { ids: string[]; texts: string[]; lengths: number[] | null; groups: string[] | null; columns: ColumnHead[]; thumbnails?: ThumbnailRefs | null; /** whether rows are chunks, whose ids name their documents */ chunks?: boolean };
  queries: { rows: ArrayRef | null; ids: string[]; texts: string[]; own: boolean; thumbnails?: ThumbnailRefs | null };
  answers: AnswerHead[];
  maps: MapHead[];
  maps_words: string;
  disagreement: ArrayRef;
  disagreement_words: string;
  row_disagreement: ArrayRef;
  row_disagreement_words: string;
}

type Typed = Int32Array | Float32Array | Float64Array | Uint16Array | Uint8Array;

export interface Answer {
  model: string;
  queryModel: string;
  beside: boolean;
  distanceWord: string;
  width: number;
  rows: Int32Array;
  distance: Float32Array;
  isSelf: Uint8Array;
  elseWidth: number;
  elseRows: Int32Array;
  elseRanks: Int32Array;
  elseDistance: Float32Array;
  lostWidth: number;
  lostRows: Int32Array;
}

export interface ThumbnailRefs {
  ends: ArrayRef;
  bytes: ArrayRef;
}

interface Thumbnails {
  ends: Int32Array;
  bytes: Uint8Array;
}

export interface Scene {
  head: Header;
  thumbnails: { items: Thumbnails | null; queries: Thumbnails | null };
  answers: Answer[];
  maps: { model: string; method: string; about: string; x: Float32Array; y: Float32Array }[];
  disagreement: Float64Array;
  /** of each corpus row: how differently often the models return it */
  rowDisagreement: Float32Array;
  /** place among the parts, of each row and of each query; -1: in none */
  partOfRow: Int32Array;
  partOfQuery: Int32Array;
  columns: { name: string; values: string[]; of: Uint8Array }[];
  why: { models: [string, string]; queryModel: string | null; query: Int32Array; row: Int32Array; bits: Int32Array }[];
  /** corpus row of each query, or null where queries came from elsewhere */
  queryRow: Int32Array | null;
  /** query of each corpus row, -1 where the row did not ask */
  queryOfRow: Int32Array;
}

const SIZE = { int32: 4, float32: 4, float64: 8, uint16: 2, uint8: 1 } as const;
export const VERSION = 13;

/** Undo the byte planes of packing.py: all first bytes, then all second bytes, and so on. */
export function array(ref: ArrayRef, body: Uint8Array): Typed {
  const size = SIZE[ref.dtype];
  const count = ref.bytes / size;
  const planes = body.subarray(ref.offset, ref.offset + ref.bytes);
  const out = new Uint8Array(ref.bytes);
  for (let plane = 0; plane < size; plane++) {
    const from = plane * count;
    for (let i = 0; i < count; i++) out[i * size + plane] = planes[from + i];
  }
  switch (ref.dtype) {
    case "int32":
      return new Int32Array(out.buffer);
    case "float32":
      return new Float32Array(out.buffer);
    case "float64":
      return new Float64Array(out.buffer);
    case "uint16":
      return new Uint16Array(out.buffer);
    case "uint8":
      return out;
  }
}

export async function unzip(packed: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([packed as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function fromBase64(text: string): Uint8Array {
  const modern = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array };
  if (modern.fromBase64) return modern.fromBase64(text);
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/** Read the unzipped block: 4 bytes length of the header (little endian), the header, the arrays. */
export function read(block: Uint8Array): Scene {
  const length = new DataView(block.buffer, block.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(block.subarray(4, 4 + length))) as Header;
  if (head.view !== VERSION) throw new Error(`This page reads version ${VERSION} of the data. Got ${head.view}.`);
  const body = block.subarray(4 + length);
  const ints = (ref: ArrayRef) => array(ref, body) as Int32Array;
  const floats = (ref: ArrayRef) => array(ref, body) as Float32Array;
  const queryRow = head.queries.rows ? ints(head.queries.rows) : null;
  const queryOfRow = new Int32Array(head.items.ids.length).fill(-1);
  queryRow?.forEach((row, query) => (queryOfRow[row] = query));
  const small = (refs?: ThumbnailRefs | null) => refs ? { ends: ints(refs.ends), bytes: array(refs.bytes, body) as Uint8Array } : null;
  return {
    head,
    thumbnails: { items: small(head.items.thumbnails), queries: small(head.queries.thumbnails) },
    answers: head.answers.map((answer) => ({
      model: answer.model,
      queryModel: answer.query_model,
      beside: answer.beside,
      distanceWord: answer.distance_word,
      width: answer.rows.shape[1],
      rows: ints(answer.rows),
      distance: floats(answer.distance),
      isSelf: array(answer.is_self, body) as Uint8Array,
      elseWidth: answer.elsewhere.rows.shape[1],
      elseRows: ints(answer.elsewhere.rows),
      elseRanks: ints(answer.elsewhere.ranks),
      elseDistance: floats(answer.elsewhere.distance),
      lostWidth: answer.lost.shape[1],
      lostRows: ints(answer.lost),
    })),
    maps: head.maps.map((map) => ({
      model: map.model,
      method: map.method,
      about: map.about,
      x: unit(array(map.x, body) as Uint16Array),
      y: unit(array(map.y, body) as Uint16Array),
    })),
    disagreement: array(head.disagreement, body) as Float64Array,
    rowDisagreement: floats(head.row_disagreement),
    partOfRow: ints(head.parts.of_row),
    partOfQuery: ints(head.parts.of_query),
    columns: head.items.columns.map(({ name, values, of }) => ({ name, values, of: array(of, body) as Uint8Array })),
    why: head.why.map(({ models, query_model, query, row, bits }) => ({ models, queryModel: query_model, query: ints(query), row: ints(row), bits: ints(bits) })),
    queryRow,
    queryOfRow,
  };
}

/** 0..65535 to -1..1 */
function unit(values: Uint16Array): Float32Array {
  return Float32Array.from(values, (value) => value / 32767.5 - 1);
}

export function queryCount(scene: Scene): number {
  return scene.disagreement.length;
}

export function queryId(scene: Scene, query: number): string {
  const { queries, items } = scene.head;
  return queries.own && scene.queryRow ? items.ids[scene.queryRow[query]] : queries.ids[query];
}

export function queryText(scene: Scene, query: number): string {
  const { queries, items } = scene.head;
  return queries.own && scene.queryRow ? items.texts[scene.queryRow[query]] : queries.texts[query];
}
