/** What every refusal starts with. A module of its own replaces this file and keeps channel/. */
export const NAME = "raid: ";
