/** Exports whose names JavaScript allows and PostgreSQL can't store. */
function one(): number {
  return 1;
}

export { one as "o\0ne" };
