import { faultError, localizedFault } from './fault.js';
import { type MoRef, element, many, maybe, node, one, readElement, reference, text } from './reading.js';
import { type SoapSession, returned } from './session.js';
import { type Element, type Outgoing, badAnswer, xml } from './xml.js';

/** Objects a page. The configuration of a VM is some 30 KiB, its whole answer with all that is asked for some 100. */
const PAGE = 100;

const resultSchema = node({
  token: maybe(text),
  objects: many(
    node({
      obj: one(reference),
      propSet: many(node({ name: one(text), val: one(element) })),
      missingSet: many(node({ path: one(text), fault: one(element) })),
    }),
  ),
});

/** A managed object with those of its properties that the account may see and that are set. */
export interface ManagedObject {
  ref: MoRef;
  properties: ReadonlyMap<string, Element>;
  /** Properties that could not be told, with the fault's name (`NoPermission`). */
  missing: ReadonlyMap<string, string>;
}

/** Reads properties of one object. */
export async function readObject(
  session: SoapSession,
  ref: MoRef,
  paths: readonly string[],
  what: string,
): Promise<ManagedObject> {
  const found = await retrieve(session, ref.type, paths, [objectSet(ref)], what);
  return found[0] ?? { ref, properties: new Map(), missing: new Map() };
}

/** Reads properties of all objects of a type that the service has, whatever folders they lie in. */
export async function readAll(
  session: SoapSession,
  type: string,
  paths: readonly string[],
  what: string,
): Promise<ManagedObject[]> {
  const { viewManager, rootFolder } = session.content;
  if (!viewManager) return [];
  const made = await session.read({
    method: 'CreateContainerView',
    on: viewManager,
    parameters: [refXml('container', rootFolder), xml('type', type), xml('recursive', 'true')],
    what,
  });
  const view = readElement(reference, returned(made));
  try {
    const traversal = xml(
      'selectSet',
      [xml('name', 'view'), xml('type', 'ContainerView'), xml('path', 'view'), xml('skip', 'false')],
      { 'xsi:type': 'TraversalSpec' },
    );
    const set = xml('objectSet', [refXml('obj', view), xml('skip', 'true'), traversal]);
    return await retrieve(session, type, paths, [set], what);
  } finally {
    await session.change({ method: 'DestroyView', on: view, what: 'forget a list' }).catch(() => undefined);
  }
}

/** Reads properties of these objects, which are all of one type. */
export function readObjects(
  session: SoapSession,
  refs: readonly MoRef[],
  paths: readonly string[],
  what: string,
): Promise<ManagedObject[]> {
  const [first] = refs;
  return first ? retrieve(session, first.type, paths, refs.map(objectSet), what) : Promise.resolve([]);
}

/** A reference, as a parameter of this name. */
export function refXml(name: string, { type, id }: MoRef): Outgoing {
  return xml(name, id, { type });
}

function objectSet(ref: MoRef): Outgoing {
  return xml('objectSet', [refXml('obj', ref)]);
}

/** Page by page: the host gives a token as long as there is more (vSphere API, RetrievePropertiesEx). */
async function retrieve(
  session: SoapSession,
  type: string,
  paths: readonly string[],
  objectSets: readonly Outgoing[],
  what: string,
): Promise<ManagedObject[]> {
  const propSet = xml('propSet', [xml('type', type), ...paths.map((path) => xml('pathSet', path))]);
  const call = { on: session.content.propertyCollector, what, check: (answer: Element) => void pageOf(answer, what) };
  let answer = await session.read({
    ...call,
    method: 'RetrievePropertiesEx',
    parameters: [xml('specSet', [propSet, ...objectSets]), xml('options', [xml('maxObjects', String(PAGE))])],
  });
  const found: ManagedObject[] = [];
  const tokens = new Set<string>();
  for (;;) {
    const { token, objects } = pageOf(answer, what);
    found.push(...objects);
    if (token === '') return found;
    if (tokens.has(token)) throw badAnswer('its pages repeat themselves');
    tokens.add(token);
    answer = await session.change({
      ...call,
      method: 'ContinueRetrievePropertiesEx',
      parameters: [xml('token', token)],
    });
  }
}

function pageOf(answer: Element, what: string): { token: string; objects: ManagedObject[] } {
  const result = answer.child('returnval');
  // Nothing at all is what a host answers where no object fits.
  if (!result) return { token: '', objects: [] };
  const { token, objects } = readElement(resultSchema, result);
  return {
    token: token ?? '',
    objects: objects.map(({ obj, propSet, missingSet }) => {
      const missing = missingSet.map(({ path, fault }): [string, string] => {
        const told = localizedFault(fault);
        // Some say here what others refuse the whole call with.
        if (told.name === 'NotAuthenticated') throw faultError(what, told, null);
        return [path, told.name];
      });
      return {
        ref: obj,
        properties: new Map(propSet.map(({ name, val }) => [name, val])),
        missing: new Map(missing),
      };
    }),
  };
}
