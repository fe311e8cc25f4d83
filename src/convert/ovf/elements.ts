import type { XmlElement } from './xml.js';

const OVF = /^http:\/\/schemas\.dmtf\.org\/ovf\/envelope\/[12]$/;
const VMW = 'http://www.vmware.com/schema/ovf';
/** What VirtualBox calls its own. */
const VBOX = /^http:\/\/www\.virtualbox\.org\/ovf\//;

export const isOvf = (ns: string): boolean => OVF.test(ns);
export const isVmware = (ns: string): boolean => ns === VMW;
export const isVirtualBox = (ns: string): boolean => VBOX.test(ns);

/** An attribute of OVF's own, with or without a prefix; null where it is not there. */
export function attribute(element: XmlElement, name: string): string | null {
  for (const [key, value] of element.attributes) {
    if (key === name) return value;
    const match = /^\{(.*)\}(.*)$/.exec(key);
    if (match?.[2] === name && isOvf(match[1] ?? '')) return value;
  }
  return null;
}

/** An attribute of VMware's; null where it is not there. */
export function vmwareAttribute(element: XmlElement, name: string): string | null {
  return element.attributes.get(`{${VMW}}${name}`) ?? element.attributes.get(name) ?? null;
}

/** The children of that name in OVF's own namespace. */
export function children(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name && isOvf(child.ns));
}

/** The text of the first child of that name, whatever its namespace (rasd, vssd, epasd …); null: none, or empty. */
export function textOf(element: XmlElement, name: string): string | null {
  const text = element.children.find((child) => child.name === name)?.text ?? '';
  return text === '' ? null : text;
}

/** OVF's rule: what does not say otherwise is required (DSP0243, 7.1). */
export function isRequired(element: XmlElement): boolean {
  return attribute(element, 'required')?.toLowerCase() !== 'false' && attribute(element, 'required') !== '0';
}
