/** A VM's power state, in the contract's words. */
export type PowerState = 'on' | 'off' | 'suspended';
