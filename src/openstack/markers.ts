/**
 * The marks by which a run finds again what it made: image properties, volume and server metadata, port tags and
 * description. They go out in the same request that creates the resource, so no crash can part the two.
 */

export interface Marker {
  /** The run's id: `r7`. */
  run: string;
  /** The step's key within the run: `volume:scsi0:0`. */
  step: string;
}

/** What to look for: everything of a run, or the resource of one step. */
export interface MarkerFilter {
  run: string;
  step?: string;
}

export const RUN_KEY = 'stackferry_run';
export const STEP_KEY = 'stackferry_step';

/** The marker as metadata (Cinder, Nova) or image properties (Glance). */
export function markerMetadata(marker: Marker): Record<string, string> {
  return { [RUN_KEY]: marker.run, [STEP_KEY]: marker.step };
}

/** The marker as Neutron tags. */
export function markerTags(marker: Marker): string[] {
  return [`${RUN_KEY}=${marker.run}`, `${STEP_KEY}=${marker.step}`];
}

/** The marker as one line of text, for Neutron's description. */
export function markerText(marker: Marker): string {
  return markerTags(marker).join(' ');
}

/** Whether metadata (or image properties) carry the marker that is looked for. */
export function hasMarker(metadata: Readonly<Record<string, unknown>>, filter: MarkerFilter): boolean {
  return metadata[RUN_KEY] === filter.run && (filter.step === undefined || metadata[STEP_KEY] === filter.step);
}
