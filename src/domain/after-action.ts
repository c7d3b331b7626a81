/** What is done with a file once its receipt is durable (G4). */
export type AfterAction = 'keep' | 'delete' | { readonly moveTo: string };

/** All of it for one source; folders are absolute. */
export interface AfterActions {
  readonly onSuccess: AfterAction;
  readonly onFailure: Exclude<AfterAction, 'delete'>;
  /** Whether the receipt is written beside the file; left out: no. */
  readonly sidecar?: boolean | undefined;
}
