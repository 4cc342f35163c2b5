/** What the parts of a gateway need of a log; pino's loggers have it. Fields are words of the design, never secrets. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
