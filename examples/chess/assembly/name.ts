/** What every refusal starts with. */
export const NAME = "chess: ";
