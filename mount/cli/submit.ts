/** Handing a command or call to a mounted simulation, for the commands of the command line that do so. */
import { submitCommand } from "../control-file.ts";
import type { Answer } from "../control-file.ts";
import { errorCode, errorText } from "../errors.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";

/** As {@link submitCommand}; a file that can't be opened is an error for the user. */
export async function submit(path: string, command: string): Promise<Answer> {
  try {
    return await submitCommand(path, command);
  } catch (error) {
    if (errorCode(error) === "") {
      throw error;
    }
    const status = ["EACCES", "EPERM"].includes(errorCode(error)) ? EXIT.permission : EXIT.failed;
    throw new CommandError(status, `${path} cannot be opened: ${errorText(error)}`, { cause: error });
  }
}
