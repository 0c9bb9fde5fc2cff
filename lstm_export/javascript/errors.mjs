/**
 * The errors of this package, by the names that they have in Python.
 *
 *     LstmExportError (Error)
 *     ├── OptionError           an option or argument that makes no sense
 *     ├── InputError            a feed that a model refuses
 *     ├── ContractError         a manifest that contradicts itself
 *     ├── BundleError           a bundle that cannot be read
 *     │   ├── ChecksumError     its bytes are not those that were written
 *     │   └── NewerFormatError  it was written by a newer version
 *     ├── ParityError           numbers that disagree beyond the rule
 *     └── MissingExtraError     a package that is needed is not installed
 *
 * A message says what was expected, what came, where, and what to do next.
 */

export class LstmExportError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

export class OptionError extends LstmExportError {}
export class InputError extends LstmExportError {}
export class ContractError extends LstmExportError {}
export class BundleError extends LstmExportError {}
export class ChecksumError extends BundleError {}
export class NewerFormatError extends BundleError {}
export class ParityError extends LstmExportError {}
export class MissingExtraError extends LstmExportError {}
