export declare const breaches: (path: string, text: string) => Array<string>
