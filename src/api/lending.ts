/**
 * Jobs of this thread whose handles were given to other jobs as arguments: they are lent to these, the borrowers, which
 * may ask for their outcomes until they have settled themselves. When a lent job has finished, this thread takes a copy
 * of its outcome at once, and its slot stays as it is until the last borrower has settled here.
 *
 * A borrower is the slot of a job of this thread, or a group of it: that settles when it is waited for.
 */

/** A lent job. */
export interface Loan {
  readonly slot: number;
  /** How many borrowers it has. */
  borrowers: number;
  /** Whether this thread was told again after it had taken its copy: nobody else has the slot of a cancelled job any more. */
  toldAgain: boolean;
}

export class Lending {
  readonly #loans = new Map<number, Loan>();
  readonly #borrowed = new Map<number, Set<Loan>>();
  /** Loans to jobs whose arguments are being written. */
  readonly #unsigned: Loan[] = [];
  readonly #returned: (loan: Loan) => void;

  /** @param returned called when a job has no borrower any more */
  constructor(returned: (loan: Loan) => void) {
    this.#returned = returned;
  }

  /** The loan of the job in a slot, if it is lent. */
  loanOf(slot: number): Loan | undefined {
    return this.#loans.get(slot);
  }

  /** Where the loans begin that are made from now on, for `sign` and `withdraw`. */
  get mark(): number {
    return this.#unsigned.length;
  }

  /** Lends a pending job to the one whose arguments are being written. */
  lend(slot: number): void {
    let loan = this.#loans.get(slot);
    if (loan === undefined) {
      loan = { slot, borrowers: 0, toldAgain: false };
      this.#loans.set(slot, loan);
    }
    loan.borrowers++;
    this.#unsigned.push(loan);
  }

  /** The arguments are written: what was lent since `mark` is with `borrower`. */
  sign(borrower: number, mark: number): void {
    let borrowed = this.#borrowed.get(borrower);
    if (borrowed === undefined) {
      borrowed = new Set();
      this.#borrowed.set(borrower, borrowed);
    }
    for (const loan of this.#unsigned.splice(mark)) {
      if (borrowed.has(loan)) loan.borrowers--;
      else borrowed.add(loan);
    }
  }

  /** The arguments could not be written. */
  withdraw(mark: number): void {
    for (const loan of this.#unsigned.splice(mark)) this.#giveBack(loan);
  }

  /** A borrower has settled, if it is one. */
  end(borrower: number): void {
    const borrowed = this.#borrowed.get(borrower);
    if (borrowed === undefined) return;
    this.#borrowed.delete(borrower);
    for (const loan of borrowed) this.#giveBack(loan);
  }

  /** No job settles any more. */
  clear(): void {
    this.#loans.clear();
    this.#borrowed.clear();
  }

  #giveBack(loan: Loan): void {
    if (--loan.borrowers > 0) return;
    this.#loans.delete(loan.slot);
    this.#returned(loan);
  }
}
