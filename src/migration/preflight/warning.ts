/** Something of the target that does not stop a migration but may spoil it; fits the event `warning`. */
export interface PreflightWarning {
  code: string;
  message: string;
  hint: string;
}
