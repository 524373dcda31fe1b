/** The three jobs of the original's usage example. */
export function jobA(): void {
  console.log("Job A");
}

export function jobB(): void {
  console.log("Job B");
}

export function jobC(): void {
  console.log("Job C");
}
